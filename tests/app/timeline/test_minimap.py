"""The minimap: the whole run in a strip, its window dragged and stretched."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from traceview.app.models.span_columns import read_columns
from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.theme import theme
from traceview.app.timeline.geometry import TimeRange
from traceview.app.timeline.minimap_image import draw_minimap, error_marks
from traceview.app.timeline.waterfall import Waterfall
from traceview.protocol.records import KINDS, Status

Show = Callable[[OpenRun], Waterfall]
PALETTE = np.arange(1, len(KINDS) + 1, dtype=np.uint32)


def test_every_span_is_in_the_picture(runs: ModuleType) -> None:
    columns = read_columns(runs.support_agent(live=False))
    picture = draw_minimap(columns, 2**62, 27_840e6, (460, 38), PALETTE, 1)
    assert picture.shape == (38, 460)
    assert set(np.unique(picture)) - {0} == {int(PALETTE[kind]) for kind in set(columns.kind.tolist())}
    assert (picture[0] == PALETTE[KINDS.index("agent")]).sum() > 450


def test_a_huge_run_leaves_no_hole(runs: ModuleType) -> None:
    columns = read_columns(runs.loops(30_000))
    picture = draw_minimap(columns, 2**62, float(columns.latest_end()), (800, 38), PALETTE, 1)
    assert (picture != 0).any(axis=0).all()
    assert (picture != 0).any(axis=1).all()


def test_of_thousands_of_long_bars_the_widest_are_drawn(runs: ModuleType) -> None:
    rows = [runs.make_row(0, None, 0, 10_000_000, kind="agent")]
    rows += [runs.make_row(i, 0, i * 100, 5_000_000 + i * 100, kind="tool") for i in range(1, 4_000)]
    picture = draw_minimap(read_columns(runs.make_run(rows)), 2**62, 1e7, (500, 38), PALETTE, 1)
    assert (picture[0] == PALETTE[0]).any()
    assert (picture == PALETTE[KINDS.index("tool")]).mean() > 0.3


def test_no_spans_or_no_room_make_an_empty_picture(runs: ModuleType) -> None:
    assert not draw_minimap(read_columns(runs.make_run([])), 0, 1.0, (10, 10), PALETTE, 1).any()
    columns = read_columns(runs.loops(10))
    assert draw_minimap(columns, 0, 1.0, (0, 10), PALETTE, 1).size == 0


def test_a_failure_is_marked_where_it_began(runs: ModuleType) -> None:
    failed = Status.ERROR
    rows = [
        runs.make_row(1, None, 0, 1_000, status=failed),
        runs.make_row(2, 1, 0, 500, status=failed),
        runs.make_row(3, 1, 0, 900),
    ]
    assert error_marks(read_columns(runs.make_run(rows)), 2**62, 1_000, 100) == [50]
    assert error_marks(read_columns(runs.loops(10)), 2**62, 1_000, 100) == []


@pytest.fixture
def mapped(show: Show, runs: ModuleType) -> Waterfall:
    """A run of 100 ms in the pane."""
    return show(runs.make_run([runs.make_row(1, None, 0, 100_000_000)]))


def test_dragging_over_the_whole_draws_a_window(mapped: Waterfall, mouse: Callable[..., Any]) -> None:
    scale = mapped.minimap.scale
    mouse(mapped.minimap).drag((scale.x(60e6), 20), (scale.x(30e6), 20), (scale.x(20e6), 20))
    shown = mapped.window_of_time.shown
    assert (shown.start, shown.end) == (pytest.approx(20e6), pytest.approx(60e6))


def test_the_window_is_dragged_and_stretched(mapped: Waterfall, mouse: Callable[..., Any]) -> None:
    window, scale, hand = mapped.window_of_time, mapped.minimap.scale, mouse(mapped.minimap)
    window.show(TimeRange(20e6, 40e6))
    hand.drag((scale.x(30e6), 20), (scale.x(50e6), 20))
    assert window.shown.start == pytest.approx(40e6)
    assert window.shown.length == pytest.approx(20e6)
    hand.drag((scale.x(40e6) - 2, 20), (scale.x(10e6) - 2, 20))
    assert window.shown.start == pytest.approx(10e6, rel=0.1)
    assert window.shown.end == pytest.approx(60e6)
    hand.drag((scale.x(60e6) + 2, 20), (scale.x(90e6) + 2, 20))
    assert window.shown.end == pytest.approx(90e6, rel=0.1)
    hand.drag((scale.x(90e6) + 2, 20), (scale.x(500e6), 20))
    assert window.shown.end == pytest.approx(100e6)


def test_a_click_beside_the_window_brings_it_there(mapped: Waterfall, mouse: Callable[..., Any]) -> None:
    window, scale, hand = mapped.window_of_time, mapped.minimap.scale, mouse(mapped.minimap)
    window.show(TimeRange(0, 20e6))
    hand.click(scale.x(70e6), 20)
    assert window.shown.middle == pytest.approx(70e6)
    hand.double_click(scale.x(10e6), 20)
    assert window.shows_whole
    hand.click(scale.x(10e6), 20)
    assert window.shows_whole


def test_edges_show_that_they_can_be_pulled(mapped: Waterfall, mouse: Callable[..., Any]) -> None:
    scale, hand = mapped.minimap.scale, mouse(mapped.minimap)
    mapped.window_of_time.show(TimeRange(20e6, 40e6))
    hand.move(scale.x(20e6), 20)
    assert mapped.minimap.cursor().shape() == Qt.CursorShape.SizeHorCursor
    hand.move(scale.x(30e6), 20)
    assert mapped.minimap.cursor().shape() == Qt.CursorShape.ArrowCursor


def test_the_wheel_zooms(mapped: Waterfall, mouse: Callable[..., Any]) -> None:
    mouse(mapped.minimap).wheel(mapped.minimap.scale.x(50e6), 20, 2)
    assert mapped.window_of_time.shown.length < 60e6


def test_an_empty_minimap_takes_no_hold(pane: Waterfall, mouse: Callable[..., Any]) -> None:
    mouse(pane.minimap).drag((50, 20), (90, 20))
    pane.minimap.grab()
    assert pane.window_of_time.shows_whole


def test_errors_and_the_playhead_are_lines_of_full_height(show: Show, runs: ModuleType, selection: Selection) -> None:
    rows = [runs.make_row(1, None, 0, 100), runs.make_row(2, 1, 10, 50, status=Status.ERROR)]
    pane = show(runs.make_run(rows))
    selection.go_to_moment(1)
    image = pane.minimap.grab().toImage()
    error, play = round(pane.minimap.scale.x(50)), round(pane.minimap.scale.x(10))
    for y in (6, 20, 36):
        assert image.pixelColor(error, y) == theme(True).error
        assert image.pixelColor(play, y) == theme(True).accent


def test_marks_that_would_cover_the_run_shrink_to_feet(show: Show, runs: ModuleType) -> None:
    rows = [runs.make_row(0, None, 0, 1_000_000)]
    rows += [runs.make_row(i, 0, i * 1_000, i * 1_000 + 500, status=Status.ERROR) for i in range(1, 900)]
    pane = show(runs.make_run(rows))
    image = pane.minimap.grab().toImage()
    red = theme(True).error
    assert sum(image.pixelColor(x, 39) == red for x in range(20, 400)) > 100
    assert sum(image.pixelColor(x, 20) == red for x in range(20, 400)) == 0


def test_the_picture_is_squeezed_while_a_run_grows_a_little(show: Show, runs: ModuleType, clock: Any) -> None:
    pane = show(runs.support_agent(live=True))
    pane.minimap.grab()
    image = pane.minimap._image
    clock.now += 100_000_000
    pane._grow()
    QApplication.processEvents()
    assert pane.minimap._image is image
    clock.now += 10_000_000_000
    pane._grow()
    pane.minimap.grab()
    assert pane.minimap._image is not image
