"""`import traceview` is light, and the rest of the SDK comes when it is first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import traceview as tv

HEAVY = {
    "zmq",
    "numpy",
    "PySide6",
    "pyqtgraph",
    "sqlalchemy",
    "asyncio",
    "msgspec",
    "uuid",
    "inspect",
    "typing",
    "dataclasses",
    "logging",
    "multiprocessing",
    "concurrent",
    "traceview.testing",
    "traceview.protocol",
    "traceview.sdk",
}


def loaded_after(code: str) -> set[str]:
    program = f"import sys; before = set(sys.modules)\n{code}\nafter = set(sys.modules) - before\nprint(*sorted(after))"
    command = [sys.executable, "-I", "-c", program]
    return set(subprocess.run(command, capture_output=True, check=True, text=True).stdout.split())


def test_importing_traceview_loads_nothing_heavy() -> None:
    loaded = loaded_after("import traceview")
    assert not loaded & HEAVY
    assert loaded <= {"traceview"}


def test_import_takes_at_most_25_ms() -> None:
    code = "import time; began = time.perf_counter(); import traceview; print(time.perf_counter() - began)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(5)]
    assert min(float(run.stdout) for run in runs) <= 0.025


def test_opening_a_span_leaves_zmq_and_other_heavy_things_alone() -> None:
    loaded = loaded_after("import traceview\nfrom traceview.sdk import face")
    assert not loaded & {"zmq", "numpy", "PySide6", "sqlalchemy", "asyncio", "multiprocessing", "traceview.testing"}


def test_the_disabled_sdk_loads_nothing_else() -> None:
    code = "import os; os.environ['TRACEVIEW_DISABLED'] = '1'; import traceview as tv\nwith tv.span('x'): pass"
    loaded = loaded_after(code)
    assert "traceview.sdk.disabled" in loaded
    assert not loaded & {"msgspec", "logging", "zmq", "traceview.sdk.recorder"}


def test_the_public_face_is_sorted_and_complete() -> None:
    assert list(tv.__all__) == sorted(tv.__all__)
    assert all(hasattr(tv, name) for name in tv.__all__)
    assert set(tv.__all__) <= set(dir(tv))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'spam'"):
        _ = tv.spam
