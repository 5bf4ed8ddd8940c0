"""What a program left out of its own report is said; counts that make no sense are not."""

from __future__ import annotations

from typing import Any

import pytest

from traceview.conventions import losses
from traceview.formats.otlp import names
from traceview.sdk.shaping import CUT_PREFIX


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({}, []),
        ({"traceview.items_cut": True}, ["Output cut: later items were only counted"]),
        ({f"{CUT_PREFIX}input": 1_200_000}, ["Input cut by the program: it had 1,200,000 bytes"]),
        ({f"{CUT_PREFIX}output": "much"}, []),
        ({f"{CUT_PREFIX}{n}": n for n in range(100)}, ["100 values cut by the program"]),
        ({names.DROPPED_ATTRIBUTES: 3}, ["3 attributes dropped by the program"]),
        (
            {names.DROPPED_LINKS: 1, names.DROPPED_EVENTS: 2_000},
            ["2,000 events dropped by the program", "1 link dropped by the program"],
        ),
        ({names.DROPPED_EVENTS: "many", names.DROPPED_LINKS: 0, "traceview.items_cut": False}, []),
    ],
)
def test_losses_are_named(attributes: dict[str, Any], said: list[str]) -> None:
    assert losses(attributes) == said
