"""One SQLite library a process, a safe one where there is, and none of the heavy libraries for those who only read."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys

import pytest

from traceview.store.driver import driver, driver_error


@pytest.fixture
def fresh():
    driver.cache_clear()
    yield
    driver.cache_clear()


def test_the_safer_library_is_used_where_it_is_installed(fresh):
    chosen = driver()
    if sys.platform == "linux":
        assert chosen.__name__ == "pysqlite3.dbapi2"
    assert chosen is driver()
    assert issubclass(driver_error(), Exception)


@pytest.mark.parametrize(("version", "notices"), [((3, 40, 1), 1), ((3, 51, 3), 0)])
def test_an_old_standard_library_is_used_with_a_notice(fresh, monkeypatch, caplog, version, notices):
    monkeypatch.setitem(sys.modules, "pysqlite3.dbapi2", None)
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    with caplog.at_level(logging.INFO):
        assert driver() is sqlite3
    assert len([record for record in caplog.records if "write-ahead log" in record.getMessage()]) == notices


def test_other_systems_have_a_new_standard_library(fresh, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert driver() is sqlite3


def test_reading_loads_neither_sqlalchemy_nor_alembic(store):
    store.writer.close()
    script = f"""
import sys
from pathlib import Path
from traceview.store import StoreReader, StoreWriter
path = Path({str(store.path)!r})
StoreWriter(path, None, floor_bytes=0).close()
StoreReader(path).traces()
print([name for name in ("sqlalchemy", "alembic", "numpy", "PySide6") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_standard_library_serves_as_well(tmp_path):
    """The whole store on the other library, in a process of its own: two libraries must not share a file."""
    script = f"""
import sys
sys.modules["pysqlite3.dbapi2"] = None
from pathlib import Path
from traceview.protocol.records import Facts
from traceview.store import StoreReader, StoreWriter, export_store
from traceview.testing import build_trace
path, built = Path({str(tmp_path / "traces.db")!r}), build_trace("a > (b!, c:llm~)")
writer = StoreWriter(path, lambda part: Facts(preview="p"), floor_bytes=0)
assert writer.apply(built.parts, session=b"s", seq=1) == 3
assert writer.apply(built.parts[:1], session=b"s", seq=2) == 0
reader = StoreReader(path)
assert reader.traces()[0].preview == "p"
assert {{row.name for row in reader.spans(built.trace_id)}} == {{"a", "b", "c"}}
assert all(row.model is None for row in reader.spans(built.trace_id))
assert reader.payload(built.trace_id, built.parts[0].span_id).input == {{"for": "a"}}
assert writer.interrupt(b"s") == 1
print(export_store(reader, [built.trace_id], path.with_name("x.traceview"), lambda part: Facts()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "3", done.stderr
