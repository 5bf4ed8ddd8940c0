"""Nothing is lost and nothing is there twice, however traceview is broken: every scenario of the harness, a few rounds.

The long form is `make faults`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills and stops processes by POSIX signals")

HARNESS = Path(__file__).with_name("harness.py")
POWER_LOSS = Path(__file__).with_name("powerloss.py")
SCENARIOS = [
    "kill-program",
    "kill-daemon",
    "kill-both",
    "kill-takeover",
    "kill-shipping",
    "kill-migration",
    "restart-daemon",
    "many-programs",
    "garbage",
    "disk-full",
    "disk-slow",
    "disk-errors",
    "clock-jumps",
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_lost_or_there_twice(scenario: str) -> None:
    done = subprocess.run([sys.executable, HARNESS, scenario], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    if "skipped" in report:
        pytest.skip(report["skipped"])
    assert report["recorded"] > 0
    assert (report["lost"], report["duplicated"]) == (0, 0)
    assert done.stderr == ""


def cut_power(*durabilities: str) -> tuple[int, list[dict[str, object]]]:
    done = subprocess.run([sys.executable, POWER_LOSS, *durabilities], capture_output=True, text=True, timeout=110)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert reports, done.stderr
    if "skipped" in reports[0]:
        pytest.skip(str(reports[0]["skipped"]))
    return done.returncode, reports


def test_what_is_acknowledged_survives_loss_of_power() -> None:
    code, (power, process) = cut_power()
    assert code == 0
    assert power["states"] == process["states"] == 102
    assert power["acknowledged_lost_in"] == 0
    assert {(report["damaged"], report["torn"]) for report in (power, process)} == {(0, 0)}


def test_a_disk_that_is_never_waited_for_would_be_noticed() -> None:
    code, (report,) = cut_power("off")
    assert code == 1
    assert report["damaged"]
    assert report["acknowledged_lost_in"]


def test_loss_and_duplication_would_be_noticed() -> None:
    done = subprocess.run([sys.executable, HARNESS, "control"], capture_output=True, text=True, timeout=110)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["lost"] > 0
    assert report["duplicated"] > 0
    assert "seed" in done.stderr


def test_every_scenario_is_played_here() -> None:
    done = subprocess.run([sys.executable, HARNESS, "--list"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == SCENARIOS


def test_what_the_fuzzer_begins_with_is_read_by_its_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis plays the short form, target by target, in the tests of the packages."""
    monkeypatch.syspath_prepend(str(HARNESS.parent))
    import fuzzing

    monkeypatch.setattr(fuzzing, "_scratch", tmp_path)
    seeds = fuzzing._seeds()
    assert set(seeds) == set(fuzzing.TARGETS)
    for name, inputs in seeds.items():
        assert inputs
        for data in inputs:
            for length in (len(data), len(data) // 2, 0):
                fuzzing.TARGETS[name](data[:length])
