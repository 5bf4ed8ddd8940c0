"""How fast 28,800 real spans are read (--benchmark-enable): promised are 60,000/s of protobuf, 40,000/s of JSON."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from traceview.formats import open_parts


@pytest.mark.parametrize("name", ["shop-big.pb.gz", "shop-big.jsonl.gz"])
def test_reading_a_big_file(shared: Path, benchmark: BenchmarkFixture, name: str) -> None:
    path = shared / "data" / "live" / name
    assert benchmark(lambda: sum(1 for _ in open_parts(path))) == 28_800
