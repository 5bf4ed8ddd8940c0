"""Throws what a coverage-guided fuzzer thinks of at everything that reads what others wrote (atheris, if installed).

    python tests/end_to_end/faults/fuzzing.py [--seconds N] [TARGET …]

A target may refuse its input by the exceptions that it documents; any other is a fault. Prints a line of JSON each.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_SECONDS: Final = 60
_OVERTIME_S: Final = 60.0
_DONE: Final = re.compile(r"Done (\d+) runs")


@functools.cache
def _redaction() -> Any:
    from traceview.redaction import DEFAULT_RULES
    from traceview_agent.redaction import Redaction

    return Redaction(DEFAULT_RULES)


def _take(parts: list[Any]) -> None:
    """What happens to spans that could be read, before they are written."""
    from traceview.conventions import facts

    for part in _redaction().parts(parts):
        facts(part)


def wire_header(data: bytes) -> None:
    """The header of a ZeroMQ message."""
    from traceview.protocol import wire

    with contextlib.suppress(wire.WireError):
        wire.encode_header(wire.decode_upstream(data))
    with contextlib.suppress(wire.WireError):
        wire.decode_downstream(data)


def wire_body(data: bytes) -> None:
    """The body of a batch."""
    from traceview.protocol import wire

    parts = []
    with contextlib.suppress(wire.WireError):
        for record in wire.split_records(data):
            with contextlib.suppress(wire.WireError):
                parts.append(wire.decode_part(record))
    _take(parts)


def _otlp(data: bytes, content_type: str) -> None:
    from traceview.formats import FormatError, decode_request
    from traceview_agent.otlp_bounds import TooDense, check_density

    with contextlib.suppress(FormatError, TooDense):
        if content_type == "application/x-protobuf":
            check_density(data)
        _take(list(decode_request(data, content_type).parts))


def otlp_protobuf(data: bytes) -> None:
    """An OTLP request in protobuf."""
    _otlp(data, "application/x-protobuf")


def otlp_json(data: bytes) -> None:
    """An OTLP request in JSON."""
    _otlp(data, "application/json")


def json_batch(data: bytes) -> None:
    """A batch of spans in plain JSON."""
    from traceview_agent import json_spans

    with contextlib.suppress(json_spans.BadItems, json_spans.NotSpans, json_spans.TooMany):
        _take(json_spans.decode_batch(data))


def spool_segment(data: bytes) -> None:
    """A segment that a dead program left."""
    from traceview.protocol.dead_spool import DeadSpool

    (_scratch / "00000001.seg").write_bytes(data)
    dead = DeadSpool(_scratch, -1)
    list(dead.damage())
    assert dead.dropped() >= 0
    for body in dead.bodies():
        wire_body(body)
    for most in (1, 100):
        for cut in dead.cuts(most):
            dead.acknowledge(cut)
            wire_body(cut.body)


def control_line(data: bytes) -> None:
    """A request on the control socket."""
    from traceview.protocol.places import find_places
    from traceview_agent.control_server import ControlServer, Refused

    async def obey(request: dict[str, Any]) -> dict[str, Any]:
        return request

    server = ControlServer(find_places({"TRACEVIEW_HOME": str(_scratch)}), {"status": obey})
    with contextlib.suppress(Refused):
        asyncio.run(server._obey(data))


def payload_block(data: bytes) -> None:
    """A block of a store that somebody sent."""
    from traceview.protocol.wire import WireError, decode_part
    from traceview.store.blocks import BlockDamaged, unpack

    with contextlib.suppress(BlockDamaged):
        for record in unpack(data):
            with contextlib.suppress(WireError):
                decode_part(record)


def _seeds() -> dict[str, list[bytes]]:
    """Right inputs, to begin with."""
    import zstandard

    from traceview.formats import encode_json
    from traceview.protocol import wire
    from traceview.protocol.records import SpanPart, Status, TraceInfo
    from traceview.protocol.spool import HEADER, MAGIC, VERSION

    part = SpanPart(b"t" * 16, b"s" * 8, b"p" * 8, "name", "llm", 1, 9, Status.OK, "no", {"api_key": "x"}, {"a": [1.5]})
    part = SpanPart(*(getattr(part, name) for name in part.__struct_fields__[:12]), trace=TraceInfo("run", tags=("a",)))
    body = wire.join_records([wire._encoder.encode(part)] * 2)
    header = HEADER.pack(MAGIC, VERSION, 64, len(body), 0, 1, 0, 0).ljust(64, b"\0")
    span = {"trace_id": "5b" * 16, "span_id": "ee" * 8, "start_ns": 1, "input": {"a": [1, None]}, "status": "ok"}
    data = Path(__file__).parents[2] / "data" / "traces"
    return {
        "wire-header": [wire.encode_header(wire.Hello(b"s" * 16)), wire.encode_header(wire.Batch(b"s" * 16, 1, 2, 3))],
        "wire-body": [body],
        "otlp-protobuf": [file.read_bytes() for file in sorted(data.glob("*.pb"))],
        "otlp-json": [encode_json([part])],
        "json-batch": [json.dumps([span]).encode(), json.dumps({"spans": [span], "name": "run"}).encode()],
        "spool-segment": [header + body],
        "control-line": [b'{"verb": "status", "token": "x"}\n'],
        "payload-block": [zstandard.ZstdCompressor(write_checksum=True).compress(body)],
    }


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "wire-header": wire_header,
    "wire-body": wire_body,
    "otlp-protobuf": otlp_protobuf,
    "otlp-json": otlp_json,
    "json-batch": json_batch,
    "spool-segment": spool_segment,
    "control-line": control_line,
    "payload-block": payload_block,
}
_scratch = Path()


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Does not return: the fuzzer ends the process, with 0 where nothing was found."""
    global _scratch
    import atheris

    _scratch = folder / "scratch"
    corpus = folder / "corpus"
    _scratch.mkdir()
    corpus.mkdir()
    with atheris.instrument_imports(include=["traceview", "traceview_agent"]):
        for number, seed in enumerate(_seeds()[name]):
            (corpus / f"seed{number}").write_bytes(seed)
        TARGETS[name](b"")
    flags = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], TARGETS[name])
    atheris.Fuzz()


def play(name: str, seconds: int) -> bool:
    """Fuzzes one target in a process of its own and prints its line; False where something was found."""
    with tempfile.TemporaryDirectory(prefix="tv-") as folder:
        command = [sys.executable, __file__, "--into", folder, "--seconds", str(seconds), name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _OVERTIME_S)
        found = [path.read_bytes() for path in Path(folder).glob("*") if path.is_file()]
    runs = _DONE.search(done.stderr)
    report = {"scenario": f"fuzz {name}", "seconds": seconds, "runs": int(runs[1]) if runs else None}
    print(json.dumps(report | {"faults": int(done.returncode != 0)}), flush=True)
    if done.returncode != 0:
        print(f"{name}, by {found}:\n{done.stderr[-4_000:]}", file=sys.stderr)
    return done.returncode == 0


def main() -> int:
    """Fuzzes what is asked for; all targets by default."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", nargs="*", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=_SECONDS, help="for each target (default: %(default)s)")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    wished = parser.parse_args()
    unknown = set(wished.target) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if importlib.util.find_spec("atheris") is None:
        print(json.dumps({"scenario": "fuzz", "skipped": "atheris is not installed: it has no wheel for every Python"}))
        return 0
    if wished.into is not None:
        fuzz(wished.target[0], wished.seconds, wished.into)
    went_well = [play(name, wished.seconds) for name in wished.target or TARGETS]
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main())
