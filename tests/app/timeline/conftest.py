"""What the waterfall's tests share: runs to show, the selection, the pane itself, and a clock that stands still."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.timeline.waterfall import Waterfall


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_RUNS = _load("sample_runs")


@pytest.fixture(scope="session")
def runs() -> ModuleType:
    """The builders of runs: `sample_runs.py`."""
    return _RUNS


@dataclass
class Clock:
    """A clock that tests turn by hand, in ns since the epoch."""

    now: int = _RUNS.START_NS + 27_840_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock that live runs grow by."""
    return Clock()


@pytest.fixture
def selection(qapp: QApplication) -> Selection:
    """The shared selection, with no run."""
    return Selection()


@pytest.fixture
def pane(qtbot: QtBot, qapp_look: QApplication, selection: Selection, clock: Clock) -> Waterfall:
    """A waterfall of 900 x 600 that is shown, without a run. Whatever glides arrives at once."""
    waterfall = Waterfall(selection, clock=clock)
    qtbot.addWidget(waterfall)
    waterfall.window_of_time.set_glide_ms(0)
    waterfall.resize(900, 600)
    waterfall.show()
    QApplication.processEvents()
    return waterfall


ShowRun = Callable[[OpenRun], Waterfall]


@pytest.fixture
def show(pane: Waterfall, selection: Selection) -> ShowRun:
    """Shows a run in the pane."""

    def shown(run: OpenRun) -> Waterfall:
        selection.show(run)
        QApplication.processEvents()
        return pane

    return shown


class Mouse:
    """Moves, presses and turns the mouse over a widget, with keys held."""

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget

    def _send(self, kind: QEvent.Type, x: float, y: float, held: Qt.MouseButton, keys: Qt.KeyboardModifier) -> None:
        place = QPointF(x, y)
        moved = kind is QEvent.Type.MouseMove
        button = Qt.MouseButton.NoButton if moved else Qt.MouseButton.LeftButton
        event = QMouseEvent(kind, place, self._widget.mapToGlobal(place), button, held, keys)
        QApplication.sendEvent(self._widget, event)

    def move(self, x: float, y: float) -> None:
        """Moves with no button held."""
        self._send(QEvent.Type.MouseMove, x, y, Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier)

    def click(self, x: float, y: float) -> None:
        """Presses and releases."""
        self.drag((x, y))

    def double_click(self, x: float, y: float) -> None:
        """A double click."""
        self._send(QEvent.Type.MouseButtonDblClick, x, y, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
        self._send(QEvent.Type.MouseButtonRelease, x, y, Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier)

    def drag(
        self,
        *places: tuple[float, float],
        keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
        drop: bool = True,
    ) -> None:
        """Presses at the first place, moves over the others, releases at the last."""
        held = Qt.MouseButton.LeftButton
        self._send(QEvent.Type.MouseButtonPress, *places[0], held, keys)
        for place in places[1:]:
            self._send(QEvent.Type.MouseMove, *place, held, keys)
        if drop:
            self._send(QEvent.Type.MouseButtonRelease, *places[-1], Qt.MouseButton.NoButton, keys)

    def wheel(
        self, x: float, y: float, steps: float, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        """Turns the wheel: positive is away from oneself, up."""
        place = QPointF(x, y)
        event = QWheelEvent(
            place,
            self._widget.mapToGlobal(place),
            QPointF(0, 0).toPoint(),
            QPointF(0, 120 * steps).toPoint(),
            Qt.MouseButton.NoButton,
            keys,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self._widget, event)

    def leave(self) -> None:
        """Moves off the widget."""
        QApplication.sendEvent(self._widget, QEvent(QEvent.Type.Leave))


@pytest.fixture
def mouse() -> type[Mouse]:
    """Makes a mouse over a widget."""
    return Mouse
