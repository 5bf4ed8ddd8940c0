"""Files are known by their content, streamed, and refused in one clear sentence when they can't be read."""

from __future__ import annotations

import gzip
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from traceview.formats import Cancelled, FormatError, PartStream, is_store, open_parts
from traceview.formats.otlp.fields import read_fields
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart


class Told:
    """Remembers what progress was told, and lets reading go on."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> bool:
        self.calls.append((done, total))
        return True


def request(*numbers: int) -> dict[str, Any]:
    spans = [
        {
            "traceId": f"{number:032x}",
            "spanId": f"{number:016x}",
            "name": f"span {number} \u2028 \x85 end",
            "startTimeUnixNano": "5",
            "endTimeUnixNano": "7",
        }
        for number in numbers
    ]
    return {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}


def to_json(*numbers: int, **options: Any) -> bytes:
    return json.dumps(request(*numbers), ensure_ascii=False, **options).encode()


def to_proto(*numbers: int) -> bytes:
    message = ExportTraceServiceRequest()
    json_format.ParseDict(request(), message)
    for resource in request(*numbers)["resourceSpans"]:
        scope = message.resource_spans[0].scope_spans[0]
        for fields in resource["scopeSpans"][0]["spans"]:
            span = scope.spans.add()
            span.trace_id, span.span_id = bytes.fromhex(fields["traceId"]), bytes.fromhex(fields["spanId"])
            span.name, span.start_time_unix_nano, span.end_time_unix_nano = fields["name"], 5, 7
    return message.SerializeToString()


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, number >> 7]) if number > 0x7F else bytes([number])


def delimited(message: bytes) -> bytes:
    return varint(len(message)) + message


def sized(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def numbers(parts: Iterator[SpanPart]) -> list[int]:
    return [int.from_bytes(part.span_id, "big") for part in parts]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes, name: str = "file.bin") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (to_json(1, 2), "OTLP JSON"),
        (to_json(1, 2, indent=2), "OTLP JSON"),
        (b"\xef\xbb\xbf\r\n\n " + to_json(1, 2) + b"\n\n", "OTLP JSON"),
        (b"[" + to_json(1) + b"," + to_json(2) + b"]", "OTLP JSON"),
        (to_json(1) + b"\n" + to_json(2), "OTLP JSON lines"),
        (b"\xef\xbb\xbf" + to_json(1) + b"\r\n\r\n" + to_json(2) + b"\r\n", "OTLP JSON lines"),
        (to_proto(1, 2), "OTLP protobuf"),
        (to_proto(1) + to_proto(2), "OTLP protobuf"),
        (
            varint(len(to_proto(1))) + to_proto(1) + varint(len(to_proto(2))) + to_proto(2),
            "length-delimited OTLP protobuf",
        ),
        (sized(to_proto(1)) + sized(to_proto(2)), "OTLP of the collector's file exporter"),
        (sized(to_json(1)) + sized(to_json(2)), "OTLP of the collector's file exporter"),
        (sized(zstd(to_json(1))) + sized(zstd(to_proto(2))), "OTLP of the collector's file exporter"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd, lambda data: gzip.compress(zstd(data))])
def test_every_framing_and_packing_opens(
    write: Callable[[bytes], Path], content: bytes, format: str, pack: Callable[[bytes], bytes]
) -> None:
    stream = open_parts(write(pack(content)))
    assert stream.format == format
    assert numbers(stream) == [1, 2]
    assert (stream.tally.rejected, stream.tally.skipped) == (0, {})


def test_several_frames_of_one_packing_are_one_file(write: Callable[[bytes], Path]) -> None:
    lines = [to_json(1) + b"\n", to_json(2) + b"\n"]
    assert numbers(open_parts(write(b"".join(map(gzip.compress, lines))))) == [1, 2]
    assert numbers(open_parts(write(b"".join(map(zstd, lines))))) == [1, 2]


def test_logs_metrics_and_strangers_among_the_lines_are_counted(write: Callable[[bytes], Path]) -> None:
    lines = [to_json(1), b'{"resourceLogs":[{},{}]}', b'{"resourceMetrics":[{}]}', b'{"level":"info"}', to_json(2)]
    stream = open_parts(write(b"\n".join(lines)))
    assert numbers(stream) == [1, 2]
    assert stream.tally.skipped == {"logs": 2, "metrics": 1, "records that are not OTLP": 1}


def test_a_mended_document_opens(write: Callable[[bytes], Path]) -> None:
    document = to_json(1).replace(b'"endTimeUnixNano": "7"', b'"attributes": {"x": NaN, "y": "\\ud83d"}')
    (part,) = open_parts(write(document))
    assert part.attributes == {"x": "NaN", "y": "�"}
    pretty = json.dumps(json.loads(document), indent=1, ensure_ascii=True).encode()
    assert len(list(open_parts(write(pretty)))) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: copy or export it again"),
        (b" \n\t\n", "is empty: copy or export it again"),
        (b"hello world", "is text, but no trace: traceview opens OTLP JSON, OTLP protobuf and .traceview files so far"),
        ("größe".encode("latin-1") * 9, r"is binary data of no known kind \(it starts with 67 72 f6 df\)"),
        (b"a\0b" * 9, r"is binary data of no known kind \(it starts with 61 00 62 61\)"),
        ("{}".encode("utf-16"), "is UTF-16 text, save it as UTF-8"),
        (b"\x0a\x05garba", "is text, but no trace"),
        (b'{"a": 1}', "is JSON, but of no kind of trace known here"),
        (b"[1, 2]", "is JSON, but of no kind of trace known here"),
        (to_json(1, indent=1)[:-9], "is cut off: the JSON breaks off at line 1[0-9]; copy or export it again"),
        (to_json(1)[:-4], "is cut off: the JSON breaks off at line 1; copy or export it again"),
        (
            to_json(1, indent=1).replace(b'"5"', b"5 5"),
            r"is not JSON at line 11 \(byte 232\): expected ',' or '}'; repair that place",
        ),
        (
            to_json(1) + b"\n" + to_json(2) + b"\n" + to_json(3)[:50],
            r"is damaged at line 3, which is not JSON \(Input",
        ),
        (b'{"resourceSpans": []}', "is OTLP JSON, but holds no spans: check what was exported"),
        (b'{"resourceLogs": [{}]}\n{"resourceLogs": [{}]}', "is OTLP JSON lines, but holds 2 logs and no spans"),
        (
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]}',
            r"holds no span that can be kept \(span 'x' has no",
        ),
        (to_proto(1, 2)[:-3], "is cut off inside the message that starts at byte 0: copy or export it again"),
        (to_proto(1) + b"\x0a", "is cut off inside the message that starts at byte"),
        (to_proto(1) + b"garbage", "is damaged: no OTLP message starts at byte"),
        (to_proto(1) + b"\x0a" + b"\xff" * 12, "is damaged: the length at byte .* is no number"),
        (to_proto(1) + b"\x0a\x02\x0a\x09", r"is damaged in the message at byte .*runs past the end"),
        (sized(to_json(1)) + sized(b"{nonsense"), r"is damaged in the message at byte \d+ \(JSON is malformed"),
        (sized(to_json(1)) + sized(zstd(to_json(2))[:-6]), "holds a zstd message that is damaged"),
        (zstd(to_json(1))[:-6], "is zstd-compressed and cut off or damaged near byte"),
        (sized(to_proto(1)) + b"\xff\xff\xff\xff", "is cut off inside the message"),
        (gzip.compress(to_json(1), mtime=0)[:-12], "is gzip-compressed and cut off or damaged near byte"),
        (b"\x1f\x8b\x08\x00nonsense", "is gzip-compressed and cut off or damaged near byte"),
        (zstd(to_json(1))[:4] + b"\xff" * 9, "is zstd-compressed and cut off or damaged near byte"),
        (zstd(zstd(zstd(zstd(b"{}")))), "is compressed more than 3 times over: unpack it first"),
        (b"[" * 100_000 + b"]" * 100_000, "is JSON, but of no kind of trace known here"),
        (b"[" * 100_000, "is JSON nested too deeply to be a trace: check what wrote it"),
        (b"SQLite format 3\x00....", "is a .traceview file, open it as one"),
        (gzip.compress(b"SQLite format 3\x00....", mtime=0), "is a .traceview file, packed with gzip: unpack it first"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(
    write: Callable[[bytes], Path], content: bytes, message: str
) -> None:
    path = write(content)
    with pytest.raises(FormatError, match=message) as failure:
        list(open_parts(path))
    assert str(failure.value).startswith(str(path) + " ")
    assert "\n" not in str(failure.value)


def test_spans_before_the_damage_are_handed_out(write: Callable[[bytes], Path]) -> None:
    stream = open_parts(write(to_json(1) + b"\n" + to_json(2) + b"\n{"))
    assert numbers(stream for stream in [next(stream), next(stream)]) == [1, 2]
    with pytest.raises(FormatError, match="line 3"):
        next(stream)


def test_missing_files_and_folders_say_so(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"gone\.json can't be opened: No such file"):
        open_parts(tmp_path / "gone.json")
    with pytest.raises(FormatError, match="can't be opened: Is a directory"):
        open_parts(tmp_path)


@pytest.mark.parametrize("message_only", [False, True])
def test_a_bomb_is_refused_before_it_fills_the_memory(write: Callable[[bytes], Path], message_only: bool) -> None:
    bomb = zstd(b"[" + b" " * (300 * 1024**2))
    assert len(bomb) < 100_000
    with pytest.raises(FormatError, match=r"unpacks to more than 25\d MiB"):
        list(open_parts(write(sized(bomb) if message_only else bomb)))


def test_progress_is_told_and_reaches_the_end(write: Callable[[bytes], Path]) -> None:
    for content in (
        to_json(*range(1, 3000)),
        b"\n".join(to_json(n) for n in range(1, 3000)),
        to_proto(*range(1, 3000)),
    ):
        path = write(content)
        told = Told()
        list(open_parts(path, told))
        assert told.calls[0] == (0, len(content))
        assert told.calls[-1] == (len(content), len(content))
        assert told.calls == sorted(told.calls)


def test_progress_of_a_big_file_comes_often(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    line = to_json(*range(1, 1000)) + b"\n"
    path.write_bytes(line * 120)
    told = Told()
    list(open_parts(path, told))
    assert len(told.calls) > path.stat().st_size / (8 * 1024**2)
    assert told.calls == sorted(told.calls)


@pytest.mark.parametrize("content", [to_json(*range(1, 3000)), to_json(1) + b"\n" + to_json(2), to_proto(1, 2)])
def test_cancelling_stops_reading(write: Callable[[bytes], Path], content: bytes) -> None:
    with pytest.raises(Cancelled, match="was cancelled"):
        open_parts(write(content), lambda done, total: False)
    answers = iter([True])
    stream = open_parts(write(content), lambda done, total: next(answers, False))
    with pytest.raises(Cancelled):
        list(stream)


def test_a_stream_may_be_closed_early_and_twice(write: Callable[[bytes], Path]) -> None:
    stream = open_parts(write(to_json(1, 2)))
    next(stream)
    stream.close()
    stream.close()
    assert list(stream) == []
    unused: PartStream = open_parts(write(to_json(1)))
    unused.close()


def test_a_store_is_told_by_its_first_bytes(write: Callable[[bytes], Path], tmp_path: Path) -> None:
    assert is_store(write(b"SQLite format 3\x00" + bytes(84), "no-extension"))
    assert not is_store(write(b"SQLite", "x.traceview"))
    assert not is_store(tmp_path / "gone")


def test_the_live_store_is_known_without_opening_it(home: Path) -> None:
    live = find_places().store
    live.parent.mkdir(parents=True, exist_ok=True)
    live.write_bytes(b"")
    assert is_store(home / "." / live.name)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'[{"ph":"B","ts":1},\n{"ph":"E","ts":2},', "a Chrome trace"),
        (b'{"traceEvents":[]}', "a Chrome trace"),
        (b'{"data":[{"traceID":"1","spans":[]}]}', "a Jaeger trace"),
        (b'{"data":{"spans":[]}}', "a Jaeger trace"),
        (b'[{"traceID":"1","spanID":"2","process":{}}]', "a Jaeger trace"),
        (b'{"projectId":"p","traceId":"1","spans":[]}', "a Google Cloud trace"),
        (b'[[{"traceId":"1","id":"2","timestamp":3}]]', "a Zipkin trace"),
        (b'{"traceId":"1","id":"2","localEndpoint":{}}', "a Zipkin trace"),
        (b'{"trace":{},"observations":[]}', "a Langfuse trace"),
        (b'{"trace":{},"spans":[]}', "an AgentOps trace"),
        (b'{"info":{},"data":{"spans":[]}}', "an MLflow trace"),
        (b'{"info":{},"data":"x"}', "an MLflow trace"),
        (b'{"runs":[{"run_type":"llm"}]}', "a LangSmith export"),
        (b'{"run_type":"llm"}\n{"run_type":"llm"}', "a LangSmith export"),
        (b'{"data":[{"context":{"trace_id":"1"}}]}', "a Phoenix export"),
        (b'{"context.trace_id":"1"}\n{}', "a Phoenix export"),
        (b'{"version":2,"eval":{}}', "an Inspect log"),
        (b'{"schema_version":"ATIF-v1.4","steps":[]}', "an ATIF trajectory"),
        (b'{"trajectory":[]}', "an AI agent's trajectory"),
        (b'[{"role":"user","content":"x"}]', "an AI agent's trajectory"),
        (b'[{"source":"agent","action":"run"}]', "an AI agent's trajectory"),
        (b'{"log":{"entries":[]}}', "a HAR archive"),
        (b'{"openinference.span.kind":"LLM"}', "the attributes of a single span"),
        (b'{"timestamp":"t","type":"x","payload":{}}\n{}', "a Codex session"),
        (b'{"type":"summary","leafUuid":"1"}\n{}', "a Claude Code session"),
        (b'{"uuid":"1","sessionId":"2"}\n{}', "a Claude Code session"),
        (b'{"loglines":[]}', "a Claude Code session"),
        (b'{"sessionId":"1","messages":[]}', "an AI agent's session"),
        (b'{"type":"session.start","timestamp":"t"}\n{}', "an AI agent's session"),
        (b'[{"spanContext":{}}]', "a dump of OpenTelemetry JS spans"),
        (b"PAR1....", "a Parquet file"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04....", "a damaged zip archive"),
    ],
)
def test_foreign_formats_are_refused_by_name(write: Callable[[bytes], Path], content: bytes, name: str) -> None:
    path = write(content)
    with pytest.raises(FormatError) as failure:
        open_parts(path)
    expected = f"{path} is {name}: traceview opens OTLP JSON, OTLP protobuf and .traceview files so far"
    assert str(failure.value) == expected


@pytest.mark.parametrize(("member", "name"), [("header.json", "an Inspect log"), ("other.txt", "a zip archive")])
def test_zip_archives_are_told_apart_by_their_members(tmp_path: Path, member: str, name: str) -> None:
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "{}")
    with pytest.raises(FormatError, match=f"is {name}: "):
        open_parts(path)


def test_a_string_that_only_looks_like_a_schema_version_is_none(write: Callable[[bytes], Path]) -> None:
    with pytest.raises(FormatError, match="of no kind of trace known here"):
        open_parts(write(b'{"schema_version": 3}'))


def message(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(payload)) + payload


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (b"\x09" + bytes(8), "OTLP logs without spans"),
        (b"\x59" + bytes(8), "OTLP logs without spans"),
        (message(1, b"http.requests") + message(2, b"how many") + message(7, b""), "OTLP metrics without spans"),
    ],
)
@pytest.mark.parametrize("frame", [lambda data: data, delimited, sized])
def test_other_signals_in_protobuf_are_refused_by_name(
    write: Callable[[bytes], Path], record: bytes, name: str, frame: Callable[[bytes], bytes]
) -> None:
    body = message(1, message(1, b"") + message(2, message(2, record)))
    assert list(read_fields(body))
    with pytest.raises(FormatError, match=f"is {name}: "):
        open_parts(write(frame(body)))


def test_perfetto_shares_the_first_tag_and_is_told_by_its_inside(write: Callable[[bytes], Path]) -> None:
    packet = b"\x40\x05" + b"\x50\x01" + message(11, b"x")
    with pytest.raises(FormatError, match="is a Perfetto trace: "):
        open_parts(write(message(1, packet) * 3))


def test_a_span_without_ids_in_protobuf_is_still_otlp(write: Callable[[bytes], Path]) -> None:
    span = message(5, b"name") + b"\x39" + bytes(8)
    body = message(1, message(2, message(2, span)))
    with pytest.raises(FormatError, match="holds no span that can be kept"):
        list(open_parts(write(body)))
