"""Every real OTLP file opens with as many spans as it is known to hold; every other one is refused by its name."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from traceview.formats import FormatError, open_parts

OTLP_KINDS = {
    "otlp-json",
    "otlp-jsonl",
    "otlp-pb",
    "otlp-pb-delimited",
    "derived-otlp-framing",
    "openinference-phoenix-otlpv1",
}
NAMES = {
    "agent-session": "session",
    "chrome-trace": "a Chrome trace",
    "derived-jaeger": "a Jaeger trace",
    "har": "a HAR archive",
    "inspect": "an Inspect log",
    "jaeger": "a Jaeger trace",
    "langfuse": "a Langfuse trace",
    "langsmith": "a LangSmith export",
    "mlflow": "an MLflow trace",
    "openinference": "the attributes of a single span",
    "openinference-phoenix-dataframe-jsonl": "a Phoenix export",
    "openinference-phoenix-parquet": "a Parquet file",
    "openinference-phoenix-rest": "a Phoenix export",
    "otel-genai": "the attributes of a single span",
    "otlp-logs-pb": "OTLP logs without spans",
    "perfetto-proto": "a Perfetto trace",
    "trajectory": "an AI agent's trajectory",
    "vercel-ai": "a dump of OpenTelemetry JS spans",
    "zipkin": "a Zipkin trace",
}
OWN = Path(__file__).parents[1] / "data" / "traces"


def test_every_file_of_the_manifest_opens_or_is_named(shared: Path) -> None:
    with (shared / "data" / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t"))
    wrong = []
    for row in rows:
        path = shared / "data" / row["file"]
        try:
            stream = open_parts(path)
            found = f"{sum(1 for _ in stream)} spans, {stream.tally.rejected} rejected"
        except FormatError as error:
            found = str(error)
        if row["kind"] in OTLP_KINDS:
            right = found == f"{row['spans_or_items']} spans, 0 rejected"
        else:
            right = f"{NAMES[row['kind']]}: traceview opens" in found
        if not right:
            wrong.append((row["file"], row["kind"], row["spans_or_items"], found))
    assert not wrong
    assert sum(row["kind"] in OTLP_KINDS for row in rows) >= 55


@pytest.mark.parametrize(
    ("name", "spans"),
    [
        ("pydantic-ai-v2.pb", 14),
        ("openai-otel-v2-legacy.pb", 11),
        ("logfire-twice.jsonl", 14),
        ("traceloop-sdk.json", 5),
    ],
)
def test_the_files_kept_here_open(name: str, spans: int) -> None:
    assert sum(1 for _ in open_parts(OWN / name)) == spans


def test_one_run_in_four_framings_is_the_same(shared: Path) -> None:
    live, derived = shared / "data" / "live", shared / "data" / "derived"
    files = [live / "shop-small.json", live / "shop-small.jsonl", live / "shop-small.pb"]
    files.append(derived / "shop-small.fileexporter.json.zst")
    first, *others = [sorted(open_parts(path), key=lambda part: part.span_id) for path in files]
    assert all(other == first for other in others)
    assert len(first) == 1080
