"""Which part of a run is shown: the whole follows a growing run, a part that was zoomed to stays."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from traceview.app.timeline import time_window
from traceview.app.timeline.geometry import MIN_RANGE, TimeRange
from traceview.app.timeline.time_window import TimeWindow


@pytest.fixture
def window(qapp: object) -> TimeWindow:
    made = TimeWindow()
    made.set_glide_ms(0)
    made.reset(1_000_000)
    return made


def test_the_whole_stays_shown_while_a_run_grows(window: TimeWindow) -> None:
    window.set_whole(2_000_000)
    assert window.shown == TimeRange(0, 2_000_000)
    assert window.shows_whole


def test_a_part_stays_where_it_is_while_a_run_grows(window: TimeWindow) -> None:
    window.show(TimeRange(100_000, 300_000))
    window.set_whole(2_000_000)
    assert window.shown == TimeRange(100_000, 300_000)
    assert not window.shows_whole


def test_a_part_keeps_its_spans_when_an_earlier_start_turns_up(window: TimeWindow) -> None:
    window.show(TimeRange(100_000, 300_000))
    window.set_whole(1_500_000, shift=500_000)
    assert window.shown == TimeRange(600_000, 800_000)


def test_nothing_new_tells_nobody(window: TimeWindow, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(window.changed):
        window.set_whole(1_000_000)
        window.show(window.shown)


def test_zooming_and_panning_stay_within_the_run(window: TimeWindow) -> None:
    window.zoom(0.5, at=0)
    assert window.shown == TimeRange(0, 500_000)
    window.pan(-1)
    assert window.shown.start == 0
    window.pan(0.5)
    assert window.shown == TimeRange(250_000, 750_000)
    window.zoom(0.5)
    assert window.shown == TimeRange(375_000, 625_000)
    window.zoom(100)
    assert window.shows_whole


def test_fitting_a_span_leaves_air_and_is_known_again(window: TimeWindow) -> None:
    window.fit(400_000, 600_000)
    assert window.shown == TimeRange(388_000, 612_000)
    assert window.fits(400_000, 600_000)
    assert window.fits(400_000, 605_000)
    assert not window.fits(400_000, 900_000)
    window.show_whole()
    assert window.shows_whole


def test_a_span_of_no_length_can_be_fitted(window: TimeWindow) -> None:
    window.fit(500_000, 500_000)
    assert window.shown.length == pytest.approx(10 * MIN_RANGE * 1.12)
    assert window.shown.overlaps(500_000, 500_000)


def test_what_is_out_of_view_is_brought_in_without_zooming(window: TimeWindow) -> None:
    window.show(TimeRange(0, 100_000))
    window.bring_into_view(800_000, 810_000)
    assert window.shown.length == 100_000
    assert window.shown.overlaps(800_000, 810_000)
    before = window.shown
    window.bring_into_view(800_000, 900_000)
    assert window.shown == before


def test_gliding_ends_at_its_target(qapp: object, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_window, "reduced_motion", lambda: False)
    window = TimeWindow()
    window.reset(1_000_000)
    window.fit(400_000, 600_000)
    assert window.target == TimeRange(388_000, 612_000)
    assert window.shown != window.target
    qtbot.waitUntil(lambda: window.shown == TimeRange(388_000, 612_000))


def test_growing_while_gliding_arrives_at_the_target(qapp: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_window, "reduced_motion", lambda: False)
    window = TimeWindow()
    window.reset(1_000_000)
    window.fit(400_000, 600_000)
    window.set_whole(1_100_000)
    assert window.shown == TimeRange(388_000, 612_000)
    window.show_whole()
    window.set_whole(1_200_000)
    assert window.shown == TimeRange(0, 1_200_000)
