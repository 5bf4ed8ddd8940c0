"""Files that are no stores, broken, newer, older or out of reach: one clear sentence each, and nothing is touched."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from traceview.protocol.records import Facts, SpanPart
from traceview.store import StoreError, StoreReader, StoreWriter, export_store
from traceview.store.columns import SPAN_COLUMNS, TRACE_COLUMNS
from traceview.store.driver import driver
from traceview.store.fresh import SCRIPT
from traceview.store.identity import APPLICATION_ID, SCHEMA_VERSION
from traceview.store.migrate import MIGRATIONS, migrate
from traceview.store.opening import _publish
from traceview.store.schema import METADATA, span, trace
from traceview.testing import build_trace


def understand(_: SpanPart) -> Facts:
    return Facts()


Opener = Callable[[Path], Any]
both = pytest.mark.parametrize(
    "opener", [StoreReader, lambda path: StoreWriter(path, understand)], ids=["read", "write"]
)


def filled(path: Path) -> Path:
    writer = StoreWriter(path, understand, floor_bytes=0)
    for number in range(40):
        writer.apply(build_trace("a > (b, c > d)", trace=str(number)).parts)
    writer.close()
    return path


def refusal(opener: Opener, path: Path) -> str:
    with pytest.raises(StoreError) as error:
        opener(path)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    return message


# Not a store


@both
@pytest.mark.parametrize("content", [b"hello, this is a text file\n" * 100, b"\x8f" * 4096, b'{"resourceSpans": []}'])
def test_a_file_that_is_no_database(opener, content, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert "not a traceview store" in refusal(opener, path)
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


@both
@pytest.mark.parametrize("identity", ["", f"PRAGMA application_id = {APPLICATION_ID}"], ids=["theirs", "half ours"])
def test_a_database_of_another_program(opener, identity, tmp_path):
    path = tmp_path / "other.db"
    connection = driver().connect(path)
    connection.execute("CREATE TABLE span (x)")
    connection.execute(identity)
    connection.close()
    before = path.read_bytes()
    assert "another program" in refusal(opener, path)
    assert path.read_bytes() == before


@both
def test_a_store_of_a_newer_traceview(opener, tmp_path):
    path = filled(tmp_path / "traces.db")
    change(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    message = refusal(opener, path)
    assert f"version {SCHEMA_VERSION + 1}" in message
    assert "update traceview" in message
    assert path.read_bytes() == before


def test_a_store_with_a_view_or_trigger_is_not_trusted(tmp_path):
    path = filled(tmp_path / "traces.db")
    change(path, "CREATE VIEW trap AS SELECT randomblob(1000000000)")
    assert "another program" in refusal(StoreReader, path)


def test_reading_what_is_not_there_makes_nothing(tmp_path):
    assert "does not exist" in refusal(StoreReader, tmp_path / "traces.db")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_holds_no_traces_yet_and_can_be_written(tmp_path):
    path = tmp_path / "traces.db"
    path.touch()
    assert "empty" in refusal(StoreReader, path)
    filled(path)
    assert StoreReader(path).counts().traces == 40


# Damage


@both
def test_a_store_cut_in_its_first_page(opener, tmp_path):
    path = filled(tmp_path / "traces.db")
    os.truncate(path, 3_000)
    before = path.read_bytes()
    assert "damaged" in refusal(opener, path)
    assert path.read_bytes() == before


def test_a_store_cut_in_half_is_told_sooner_or_later_and_never_crashes(tmp_path):
    path = filled(tmp_path / "traces.db")
    os.truncate(path, path.stat().st_size // 2 // 8192 * 8192)
    with pytest.raises(StoreError, match="damaged"):
        read_all(path)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_never_crash_a_reader(seed, tmp_path):
    path = filled(tmp_path / "traces.db")
    data = bytearray(path.read_bytes())
    for turn in range(30):
        place = int.from_bytes(random_bytes(seed, turn), "big") % (len(data) - 100) + 100
        data[place] ^= 1 << turn % 8
    path.write_bytes(data)
    with contextlib.suppress(StoreError):
        read_all(path)


def test_text_that_is_no_utf8_is_shown_as_far_as_it_goes(tmp_path):
    path = filled(tmp_path / "traces.db")
    change(path, "UPDATE trace SET name = CAST(x'61ff62' AS TEXT)")
    reader = StoreReader(path)
    assert {found.name for found in reader.traces()} == {"a\ufffdb"}
    reader.close()


def test_rows_of_wrong_values_are_told(tmp_path):
    path = filled(tmp_path / "traces.db")
    change(path, "UPDATE trace SET tags = '{'", "UPDATE span SET kind = 99")
    reader = StoreReader(path)
    with pytest.raises(StoreError, match="damaged"):
        reader.traces()
    change(path, "UPDATE trace SET tags = NULL")
    with pytest.raises(StoreError, match="damaged"):
        reader.spans(reader.traces()[0].trace_id)
    reader.close()


def test_a_missing_table_is_told(tmp_path):
    path = filled(tmp_path / "traces.db")
    change(path, "DROP TABLE meta")
    with pytest.raises(StoreError, match="could not be used"):
        StoreReader(path).counts()
    with pytest.raises(StoreError, match="could not be used"):
        StoreWriter(path, understand)


def read_all(path: Path) -> None:
    reader = StoreReader(path)
    try:
        reader.counts()
        for found in reader.traces():
            reader.spans(found.trace_id)
            reader.events(found.trace_id)
            reader.state_events(found.trace_id)
            list(reader.payloads(found.trace_id))
    finally:
        reader.close()


def random_bytes(seed: int, turn: int) -> bytes:
    return hashlib.sha256(f"{seed}/{turn}".encode()).digest()[:8]


def change(path: Path, *statements: str) -> None:
    connection = driver().connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


# Folders


def test_folders_are_made_where_they_are_missing(tmp_path):
    path = tmp_path / "new" / "home" / "traces.db"
    filled(path)
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_folder_that_can_not_be_made(tmp_path):
    (tmp_path / "file").touch()
    message = refusal(lambda path: StoreWriter(path, understand), tmp_path / "file" / "traces.db")
    assert "choose a folder" in message


@pytest.fixture
def locked(home: Path) -> Iterator[Path]:
    """A folder that everybody may read and nobody may write, once its mode is 0555."""
    if os.name != "posix":
        pytest.skip("needs POSIX permissions")
    home.chmod(0o755)
    folder = home / "locked"
    folder.mkdir()
    yield folder
    folder.chmod(0o755)


def test_a_folder_that_can_not_be_written(locked):
    locked.chmod(0o555)
    script = f"""
        try:
            StoreWriter(Path({str(locked / "traces.db")!r}), None)
        except StoreError as error:
            print(error)
    """
    assert "can't be created: Permission denied" in as_nobody(script)
    assert list(locked.iterdir()) == []


def test_a_copy_of_a_live_store_opens_from_a_folder_that_can_not_be_written(locked):
    """SQLite can't make its -shm file there; the copy is complete, so it may be read as it stands."""
    path = filled(locked / "copy.db")
    path.chmod(0o444)
    script = f"""
        try:
            print(StoreReader(Path({str(path)!r})).counts().traces, "traces")
        except StoreError as error:
            print(error)
    """
    locked.chmod(0o555)
    assert "40 traces" in as_nobody(script)
    locked.chmod(0o755)
    path.with_name("copy.db-wal").write_bytes(b"x" * 100)
    locked.chmod(0o555)
    assert "can't be opened" in as_nobody(script)


def test_an_exported_file_opens_from_a_folder_that_can_not_be_written(locked, tmp_path):
    reader, target = StoreReader(filled(tmp_path / "traces.db")), locked / "run.traceview"
    export_store(reader, [found.trace_id for found in reader.traces()], target, understand)
    reader.close()
    target.chmod(0o444)
    locked.chmod(0o555)
    script = f"""
        reader = StoreReader(Path({str(target)!r}))
        print(sum(len(list(reader.payloads(found.trace_id))) for found in reader.traces()), "payloads")
    """
    assert "160 payloads" in as_nobody(script)
    assert [entry.name for entry in locked.iterdir()] == ["run.traceview"]


def as_nobody(script: str) -> str:
    """Runs a script as a user whom folders can be closed to, since root is let in everywhere."""
    # Imports come before the rights are dropped: the checkout may lie in root's home.
    prologue = """
        import os
        from pathlib import Path
        import alembic.command, sqlalchemy, traceview.store.migrate
        from traceview.store import StoreError, StoreReader, StoreWriter
        from traceview.store.driver import driver
        driver()
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
    """
    command = [sys.executable, "-c", dedent(prologue) + dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


# Versions


def test_the_migrations_lead_to_the_schema(tmp_path):
    path = filled(tmp_path / "traces.db")
    engine = create_engine("sqlite://", module=driver(), creator=lambda: driver().connect(path))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        kinds = dict(connection.exec_driver_sql("SELECT name, wr FROM pragma_table_list WHERE schema = 'main'").all())
        strict = dict(connection.exec_driver_sql("SELECT name, strict FROM pragma_table_list").all())
    engine.dispose()
    for table in METADATA.tables:
        assert strict[table], table
        assert bool(kinds[table]) == (METADATA.tables[table].dialect_options["sqlite"]["with_rowid"] is False)


def dump(connection: Any) -> str:
    """The statements that make the store behind the connection: its tables, its indexes, and their rows."""
    lines = []
    made = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name"
    ).fetchall()
    lines += [f"{sql};" for _, _, sql in made]
    for kind, name, _ in made:
        for row in connection.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall() if kind == "table" else ():
            values = ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in row)
            lines.append(f'INSERT INTO "{name}" VALUES ({values});')
    return "\n".join(lines) + "\n"


def test_a_new_store_is_exactly_what_the_migrations_make(tmp_path):
    migrated, made = tmp_path / "migrated.db", tmp_path / "made.db"
    migrate(migrated, 0)
    StoreWriter(made, understand).close()
    dumps, pragmas = [], []
    for path in (migrated, made):
        connection = driver().connect(str(path))
        dumps.append(dump(connection))
        names = ("application_id", "user_version", "page_size", "auto_vacuum", "journal_mode", "encoding")
        pragmas.append([connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names])
        connection.close()
    assert dumps[0] == SCRIPT.read_text(encoding="utf-8"), f"put this into {SCRIPT}:\n{dumps[0]}"
    assert dumps[0] == dumps[1]
    assert pragmas[0] == pragmas[1]


def test_making_a_store_loads_neither_sqlalchemy_nor_alembic(tmp_path):
    script = f"""
        import sys
        from pathlib import Path
        from traceview.store import StoreWriter
        StoreWriter(Path({str(tmp_path / "a.db")!r}), None).close()
        print([name for name in ("sqlalchemy", "alembic") if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", dedent(script)], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_the_columns_that_travel_are_those_of_the_tables():
    assert set(SPAN_COLUMNS) == set(span.c.keys())
    assert set(TRACE_COLUMNS) == set(trace.c.keys())


def test_a_store_is_told_by_its_header_and_set_up_for_writing(tmp_path):
    path = filled(tmp_path / "traces.db")
    connection = sqlite3.connect(path) if driver() is sqlite3 else driver().connect(path)
    pragmas = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "page_size", "auto_vacuum", "journal_mode")
    }
    connection.close()
    assert pragmas == {
        "application_id": APPLICATION_ID,
        "user_version": SCHEMA_VERSION,
        "page_size": 8192,
        "auto_vacuum": 2,
        "journal_mode": "wal",
    }


def test_a_store_is_never_seen_half_made(tmp_path):
    path = tmp_path / "traces.db"
    script = f"""
        import os, signal
        from pathlib import Path
        from traceview.store import StoreWriter, opening
        opening._publish = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
        StoreWriter(Path({str(path)!r}), None)
    """
    done = subprocess.run([sys.executable, "-c", dedent(script)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    filled(path)


def test_the_store_that_another_process_made_first_counts(tmp_path):
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.write_text("mine")
    theirs.write_text("theirs")
    _publish(mine, theirs)
    assert theirs.read_text() == "theirs"
    theirs.write_text("")
    _publish(mine, theirs)
    assert theirs.read_text() == "mine"


def test_file_systems_without_hard_links_do(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    StoreReader(filled(tmp_path / "traces.db")).close()


def test_a_database_without_tables_becomes_a_store(tmp_path):
    path = tmp_path / "traces.db"
    change(path, "PRAGMA journal_mode = WAL")
    assert path.stat().st_size
    assert "empty" in refusal(StoreReader, path)
    reader = StoreReader(filled(path))
    assert reader.counts().traces == 40
    reader.close()


NEXT_VERSION = '''
"""A later version."""
import os, signal
from alembic import op
import sqlalchemy as sa
revision = "0002"
down_revision = "0001"
def upgrade():
    op.add_column("trace", sa.Column("mood", sa.Text))
    op.execute(sa.text("UPDATE trace SET mood = 'good'"))
    if os.environ.get("DIE"):
        os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.fixture
def later_scripts(tmp_path: Path) -> Path:
    scripts = tmp_path / "100% later"
    (scripts / "versions").mkdir(parents=True)
    (scripts / "env.py").write_text((MIGRATIONS / "env.py").read_text())
    for file in (MIGRATIONS / "versions").glob("v*.py"):
        (scripts / "versions" / file.name).write_text(file.read_text())
    (scripts / "versions" / "v0002_later.py").write_text(NEXT_VERSION)
    return scripts


def test_an_older_store_is_upgraded_after_a_backup(tmp_path, later_scripts):
    path = filled(tmp_path / "traces.db")
    migrate(path, 1, scripts=later_scripts, version=2)
    connection = driver().connect(path)
    assert connection.execute("SELECT DISTINCT mood FROM trace").fetchall() == [("good",)]
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()
    backup = tmp_path / "traces.db.v1.bak"
    reader = StoreReader(backup)
    assert reader.counts().traces == 40
    reader.close()
    migrate(path, 1, scripts=later_scripts, version=2)  # somebody else did it meanwhile: nothing to do


def test_a_kill_in_the_middle_of_an_upgrade_leaves_the_old_store(tmp_path, later_scripts):
    path = filled(tmp_path / "traces.db")
    script = f"""
        from pathlib import Path
        from traceview.store.migrate import migrate
        migrate(Path({str(path)!r}), 1, scripts=Path({str(later_scripts)!r}), version=2)
    """
    done = subprocess.run([sys.executable, "-c", dedent(script)], env={**os.environ, "DIE": "1"}, timeout=60)
    assert done.returncode == -signal.SIGKILL
    reader = StoreReader(path)
    assert reader.counts().traces == 40
    reader.close()
    migrate(path, 1, scripts=later_scripts, version=2)


def test_a_reader_sends_older_stores_to_the_writer(tmp_path, monkeypatch):
    path = filled(tmp_path / "traces.db")
    monkeypatch.setattr("traceview.store.opening.SCHEMA_VERSION", 2)
    monkeypatch.setattr("traceview.store.identity.SCHEMA_VERSION", 2)
    assert "older version (1)" in refusal(StoreReader, path)
