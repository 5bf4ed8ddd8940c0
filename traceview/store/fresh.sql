CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE dead_letter (
	letter_no INTEGER NOT NULL, 
	part BLOB NOT NULL, 
	reason TEXT NOT NULL, 
	time_ns INTEGER NOT NULL, 
	PRIMARY KEY (letter_no)
)
 STRICT

;
CREATE TABLE decision (
	number INTEGER NOT NULL, 
	trace_id BLOB NOT NULL, 
	rule TEXT, 
	PRIMARY KEY (number), 
	CONSTRAINT decision_by_trace UNIQUE (trace_id)
)
 STRICT

;
CREATE TABLE event (
	trace_no INTEGER NOT NULL, 
	change INTEGER NOT NULL, 
	span_id BLOB NOT NULL, 
	ordinal INTEGER NOT NULL, 
	time_ns INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	CONSTRAINT event_key PRIMARY KEY (trace_no, change, span_id, ordinal)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value INTEGER NOT NULL, 
	PRIMARY KEY ("key")
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE payload_block (
	block_no INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (block_no)
)
 STRICT

;
CREATE TABLE piece (
	trace_no INTEGER NOT NULL, 
	digest BLOB NOT NULL, 
	locator INTEGER NOT NULL, 
	CONSTRAINT piece_key PRIMARY KEY (trace_no, digest)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE source (
	source_no INTEGER NOT NULL, 
	session BLOB NOT NULL, 
	last_seq INTEGER, 
	resource BLOB, 
	first_ns INTEGER NOT NULL, 
	last_ns INTEGER NOT NULL, 
	dropped INTEGER NOT NULL, 
	interrupted INTEGER NOT NULL, 
	trace_no INTEGER, 
	PRIMARY KEY (source_no), 
	CONSTRAINT source_by_session UNIQUE (session)
)
 STRICT

;
CREATE TABLE span (
	trace_no INTEGER NOT NULL, 
	span_id BLOB NOT NULL, 
	parent_id BLOB, 
	name TEXT NOT NULL, 
	kind INTEGER NOT NULL, 
	status INTEGER NOT NULL, 
	status_message TEXT, 
	start_ns INTEGER NOT NULL, 
	end_ns INTEGER, 
	model TEXT, 
	input_tokens INTEGER, 
	output_tokens INTEGER, 
	cache_read_tokens INTEGER, 
	cache_write_tokens INTEGER, 
	reasoning_tokens INTEGER, 
	cost_usd REAL, 
	detail TEXT, 
	event_count INTEGER NOT NULL, 
	change INTEGER NOT NULL, 
	provider TEXT, 
	said_status INTEGER, 
	flags INTEGER NOT NULL, 
	source_no INTEGER, 
	locators BLOB NOT NULL, 
	CONSTRAINT span_key PRIMARY KEY (trace_no, span_id)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE span_part (
	trace_no INTEGER NOT NULL, 
	span_id BLOB NOT NULL, 
	digest BLOB NOT NULL, 
	locator INTEGER NOT NULL, 
	CONSTRAINT span_part_key PRIMARY KEY (trace_no, span_id, digest)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE trace (
	trace_no INTEGER NOT NULL, 
	trace_id BLOB NOT NULL, 
	name TEXT NOT NULL, 
	status INTEGER NOT NULL, 
	start_ns INTEGER NOT NULL, 
	last_ns INTEGER NOT NULL, 
	spans INTEGER NOT NULL, 
	errors INTEGER NOT NULL, 
	running INTEGER NOT NULL, 
	llm_calls INTEGER NOT NULL, 
	session TEXT, 
	user TEXT, 
	project TEXT, 
	tags TEXT, 
	metadata TEXT, 
	models TEXT, 
	input_tokens INTEGER, 
	output_tokens INTEGER, 
	cost_pico_usd INTEGER, 
	preview TEXT, 
	dropped INTEGER NOT NULL, 
	change INTEGER NOT NULL, 
	said_name TEXT, 
	interrupted INTEGER NOT NULL, 
	input_known INTEGER NOT NULL, 
	output_known INTEGER NOT NULL, 
	cost_known INTEGER NOT NULL, 
	root_id BLOB, 
	root_orphan INTEGER NOT NULL, 
	root_start_ns INTEGER NOT NULL, 
	root_status INTEGER NOT NULL, 
	pinned INTEGER NOT NULL, 
	PRIMARY KEY (trace_no), 
	CONSTRAINT trace_by_id UNIQUE (trace_id)
)
 STRICT

;
CREATE INDEX span_by_change ON span (trace_no, change);
CREATE INDEX span_interrupted ON span (source_no) WHERE status = 3;
CREATE INDEX span_llm ON span (trace_no, parent_id) WHERE kind = 2;
CREATE INDEX span_open ON span (source_no) WHERE end_ns IS NULL;
CREATE INDEX trace_by_change ON trace (change);
CREATE INDEX trace_by_start ON trace (start_ns);
INSERT INTO "alembic_version" VALUES ('0001');
INSERT INTO "meta" VALUES ('change', 0);
INSERT INTO "meta" VALUES ('dead_letters', 0);
INSERT INTO "meta" VALUES ('dropped', 0);
INSERT INTO "meta" VALUES ('spans', 0);
INSERT INTO "meta" VALUES ('traces', 0);
