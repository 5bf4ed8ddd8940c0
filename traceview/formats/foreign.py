"""Names the formats that we recognise but do not open, so that a refusal can say what the file is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from traceview.formats.errors import FormatError
from traceview.formats.shallow import Buffer, Members, first_of, members_of, opening_of, text_of

OPENS: Final = "traceview opens OTLP JSON, OTLP protobuf and .traceview files so far"


def refusal(path: Path, name: str) -> FormatError:
    """The polite error for a file of a known format that we don't open."""
    return FormatError(f"{path} is {name}: {OPENS}")


def _has(*names: str) -> Callable[[Members], bool]:
    return lambda keys: all(name in keys for name in names)


def _has_any(*names: str) -> Callable[[Members], bool]:
    return lambda keys: any(name in keys for name in names)


def _is_zipkin(keys: Members) -> bool:
    return "traceId" in keys and "id" in keys and any(k in keys for k in ("localEndpoint", "timestamp", "kind", "tags"))


def _is_agent_line(keys: Members) -> bool:
    said = "type" in keys or "role" in keys
    return said and any(
        key in keys for key in ("timestamp", "time", "uuid", "sessionId", "session_id", "protocol_version")
    )


# Order matters: the first that fits names the file (FORMATS.md, section 0).
_OBJECTS: Final[tuple[tuple[str, Callable[[Members], bool]], ...]] = (
    ("a Chrome trace", _has("traceEvents")),
    ("a Jaeger trace", lambda keys: _has("traceID", "spans")(first_of(keys.get("data")))),
    ("a Jaeger trace", lambda keys: "info" not in keys and "spans" in members_of(keys.get("data"))),
    ("a Jaeger trace", _has("traceID", "spans")),
    ("a Google Cloud trace", _has("projectId", "traceId", "spans")),
    ("a Zipkin trace", _is_zipkin),
    ("a Langfuse trace", _has("trace", "observations")),
    ("an AgentOps trace", _has("trace", "spans")),
    ("an MLflow trace", lambda keys: "info" in keys and "spans" in members_of(keys.get("data"))),
    ("an MLflow trace", _has("info", "data")),
    ("a LangSmith export", lambda keys: "run_type" in keys or "run_type" in first_of(keys.get("runs"))),
    ("a Phoenix export", lambda keys: "context" in first_of(keys.get("data"))),
    ("a Phoenix export", _has("context.trace_id")),
    ("an Inspect log", lambda keys: _has("version", "eval")(keys) or _has("eval", "plan")(keys)),
    ("an ATIF trajectory", lambda keys: text_of(keys.get("schema_version")).startswith("ATIF-")),
    ("an AI agent's trajectory", _has_any("trajectory", "history", "trajectory_format")),
    ("a HAR archive", lambda keys: "entries" in members_of(keys.get("log"))),
    ("the attributes of a single span", _has_any("openinference.span.kind", "gen_ai.operation.name")),
    ("a Codex session", _has("timestamp", "type", "payload")),
    ("a Claude Code session", lambda keys: _has("uuid", "sessionId")(keys) or "loglines" in keys or _is_summary(keys)),
    ("an AI agent's session", lambda keys: _has("sessionId", "messages")(keys) or _is_agent_line(keys)),
)
_ITEMS: Final[tuple[tuple[str, Callable[[Members], bool]], ...]] = (
    ("a Chrome trace", _has("ph")),
    ("a Zipkin trace", _is_zipkin),
    ("a dump of OpenTelemetry JS spans", lambda keys: "spanContext" in keys or "_spanContext" in keys),
    ("a Phoenix export", _has("context", "start_time")),
    ("a LangSmith export", _has("run_type")),
    ("a Jaeger trace", _has("traceID", "spanID")),
    ("an AI agent's trajectory", _has("role", "content")),
    ("an AI agent's trajectory", lambda keys: "source" in keys and bool(keys.keys() & {"action", "observation"})),
)


def _is_summary(keys: Members) -> bool:
    return text_of(keys.get("type")) == "summary" and "leafUuid" in keys


def name_json(document: Buffer) -> str | None:
    """What a JSON document (or the first line of JSON lines) is, with its article; None where nothing fits."""
    table, keys = (_OBJECTS, members_of(document)) if opening_of(document) == b"{" else (_ITEMS, first_of(document))
    return next((name for name, fits in table if fits(keys)), None)


def name_broken_json(head: bytes) -> str | None:
    """What JSON that doesn't parse was meant to be. Chrome's array may lack its end and stay legal."""
    start = head.lstrip()[:4096]
    return "a Chrome trace" if start[:1] == b"[" and b'"ph"' in start.partition(b"}")[0] else None


def name_binary(head: bytes) -> str | None:
    """What a binary file is by its first bytes; None where nothing fits."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    return None


_MAGIC: Final = {
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x7fELF": "a program",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
}
