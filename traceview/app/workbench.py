"""The panes around the open run: header, waterfall, inspector, state, transport; arranged by the room there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QRect, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from traceview.app.jobs import Jobs
from traceview.app.paint import fill_round
from traceview.app.run_payloads import RunPayloads
from traceview.app.state.selection import Selection
from traceview.app.theme import MINIMAP, PANEL_HEAD, ROW, TRANSPORT, Theme, theme
from traceview.app.views.part import Part
from traceview.app.views.trace_header import TraceHeader

if TYPE_CHECKING:
    from traceview.app.inspectors.pane import InspectorPane
    from traceview.app.replay.state_panel import StatePanel
    from traceview.app.replay.transport import Transport
    from traceview.app.timeline.waterfall import Waterfall

SIDE_WIDTH: Final = 384
STATE_HEIGHT: Final = 268
NARROW_SIDE: Final = 336
NARROW: Final = 1360
STACKED: Final = 1100
_SIDE_MIN: Final = 240
_BESIDE: Final = Qt.Orientation.Horizontal
# Under the waterfall the inspector needs this much for a few lines; the waterfall keeps this much for six rows.
_STACKED_SIDE: Final = 320
_STACKED_CENTRE: Final = 270


class Workbench(QWidget):
    """Starts with skeletons; `build()` makes the real panes, whose libraries are too heavy for the first picture.

    Signals:
        built(): the real panes are there.
        panel_changed(bool): the inspector is shown or hidden.
    """

    built = Signal()
    panel_changed = Signal(bool)

    def __init__(self, selection: Selection, jobs: Jobs, payloads: RunPayloads, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._selection = selection
        self._jobs = jobs
        self._payloads = payloads
        self._theme = theme(True)
        self._layout: dict[str, Any] = {}
        self._side_width = SIDE_WIDTH
        self._state_height = STATE_HEIGHT
        self._width = 0
        self._unsized = True
        self._panel = True
        self.header = TraceHeader(selection)
        self.waterfall: Waterfall | None = None
        self.inspector: InspectorPane | None = None
        self.state: StatePanel | None = None
        self.transport: Transport | None = None
        self._waiting = _Skeleton()
        self._centre = QWidget()
        self._centre_column = _column(self._centre, self.header, self._waiting)
        self._side = QSplitter(Qt.Orientation.Vertical)
        self._upper = QSplitter(Qt.Orientation.Horizontal)
        self._compose()

    def _compose(self) -> None:
        for splitter in (self._side, self._upper):
            splitter.setHandleWidth(1)
            splitter.setChildrenCollapsible(False)
        self._upper.addWidget(self._centre)
        self._upper.addWidget(self._side)
        self._upper.setStretchFactor(0, 1)
        self._upper.setStretchFactor(1, 0)
        self._side.setMinimumWidth(_SIDE_MIN)
        self._side.setMinimumHeight(160)
        self._centre.setMinimumWidth(320)
        self._column = _column(self, self._upper)
        self._column.setStretch(0, 1)
        self._upper.splitterMoved.connect(self._remember_side)

    def build_soon(self) -> None:
        """Loads the panes' libraries off the GUI thread, where the list goes on filling, then builds."""
        self._jobs.latest("panes", _load_panes, lambda _: self.build())

    def build(self) -> None:
        """Makes the real panes; once."""
        if self.waterfall is not None:
            return
        from traceview.app.inspectors.pane import InspectorPane
        from traceview.app.replay.state_panel import StatePanel
        from traceview.app.replay.transport import Transport
        from traceview.app.timeline.waterfall import Waterfall

        self.waterfall = Waterfall(self._selection)
        self.inspector = InspectorPane(self._selection, self._jobs, self._payloads.load_payload)
        self.state = StatePanel(self._selection, self._jobs, self._payloads.load_states)
        self.transport = Transport(self._selection)
        self.transport.walk_changed.connect(self.state.set_walk)
        self._centre_column.replaceWidget(self._waiting, self.waterfall)
        self._waiting.hide()
        self._waiting.deleteLater()
        self._centre_column.setStretch(1, 1)
        self._side.addWidget(self.inspector)
        self._side.addWidget(self.state)
        self._side.setStretchFactor(0, 1)
        self.state.collapsed_changed.connect(self._fit_state)
        self._column.addWidget(self.transport)
        self.set_theme(self._theme)
        self.restore_layout(self._layout)
        # A run that was opened meanwhile is news to the new panes.
        run, span = self._selection.run, self._selection.span_id
        if run is not None:
            self._selection.run_opened.emit(run)
            self._selection.span_selected.emit(span)
        self.built.emit()

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.header.set_theme(colors)
        if self.waterfall is None:
            self._waiting.set_theme(colors)
        for pane in (self.waterfall, self.inspector, self.state, self.transport):
            if pane is not None:
                pane.set_theme(colors)

    @property
    def panel_visible(self) -> bool:
        """Whether the inspector is wanted."""
        return self._panel

    def show_panel(self, visible: bool) -> None:
        """Shows or hides the inspector."""
        self._panel = visible
        self._side.setVisible(visible)
        self.panel_changed.emit(visible)

    def arrange(self, width: int) -> None:
        """Fits the panes into a window of this width: a narrower inspector, then one under the waterfall."""
        before, self._width = self._width, width
        stacked = width < STACKED
        self._upper.setOrientation(Qt.Orientation.Vertical if stacked else Qt.Orientation.Horizontal)
        if before == 0 or (before < STACKED) != stacked or (before < NARROW) != (width < NARROW):
            self._unsized = True
            self._size_side()
            if self.state is not None and (before < STACKED) != stacked:
                self._fit_state(self.state.collapsed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Sizes can be given only to panes that have been laid out."""
        super().resizeEvent(event)
        if self._unsized:
            self._size_side()

    def showEvent(self, event: QShowEvent) -> None:
        """Sizes can be given only to panes that have been laid out."""
        super().showEvent(event)
        if self._unsized:
            QTimer.singleShot(0, self, self._size_side)

    def _size_side(self) -> None:
        if not self.isVisible():
            return
        self._unsized = False
        if self._width < STACKED:
            height = self._upper.height()
            side = max(height * 2 // 5, min(_STACKED_SIDE, height - _STACKED_CENTRE))
            self._upper.setSizes([height - side, side])
        else:
            side = min(self._side_width, NARROW_SIDE) if self._width < NARROW else self._side_width
            self._upper.setSizes([max(1, self._upper.width() - side - 1), side])

    def _remember_side(self, _place: int, _index: int) -> None:
        if self._width >= NARROW:
            self._side_width = self._side.width()

    def _fit_state(self, collapsed: bool) -> None:
        """A folded state panel leaves its room to the inspector, an unfolded one takes it again.

        Under the waterfall there is width but no height: there an unfolded one stands beside the inspector.
        """
        inspector, state = self._side.sizes()
        beside, was_beside = not collapsed and self._width < STACKED, self._side.orientation() is _BESIDE
        self._side.setOrientation(_BESIDE if beside else Qt.Orientation.Vertical)
        for place, share in enumerate((3, 2) if beside else (1, 0)):
            self._side.setStretchFactor(place, share)
        if beside:
            width = self._upper.width()
            self._side.setSizes([width - width * 2 // 5, width * 2 // 5])
            return
        if was_beside:
            inspector, state = self._side.height(), 0
        whole = inspector + state
        if collapsed and state > PANEL_HEAD:
            self._state_height = state
        height = PANEL_HEAD if collapsed else min(self._state_height, whole // 2)
        self._side.setSizes([whole - height, height])

    def save_layout(self) -> dict[str, Any]:
        """Sizes and switches, for `restore_layout`."""
        saved: dict[str, Any] = {"side": self._side_width, "panel": self._panel}
        if self.waterfall is not None:
            saved["waterfall"] = self.waterfall.save_state()
            if self._side.orientation() is not _BESIDE:
                saved["split"] = self._side.sizes()
        else:
            saved |= {key: self._layout[key] for key in ("split", "waterfall") if key in self._layout}
        return saved

    def restore_layout(self, layout: dict[str, Any]) -> None:
        """Takes over what was saved, as far as it makes sense."""
        self._layout = layout
        side, split, waterfall = layout.get("side"), layout.get("split"), layout.get("waterfall")
        if isinstance(side, int) and _SIDE_MIN <= side <= 2000:
            self._side_width = side
        self.show_panel(layout.get("panel") is not False)
        if self.waterfall is not None:
            if isinstance(split, list) and len(split) == 2 and all(isinstance(size, int) for size in split):
                self._side.setSizes(split)
            if isinstance(waterfall, dict):
                self.waterfall.restore_state(waterfall)
        if self._width:
            self._size_side()


class _Skeleton(Part):
    """Rows at their real height while the waterfall is on its way."""

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg1)
        painter.fillRect(0, MINIMAP, self.width(), 1, colors.border)
        for row in range(max(0, (self.height() - MINIMAP - TRANSPORT) // ROW)):
            painter.setOpacity(max(0.0, 0.9 - row * 0.08))
            top = MINIMAP + ROW * (row + 1) + 8
            indent = 16 * (1 + row % 4)
            fill_round(painter, QRect(indent + 12, top, 90 + row * 37 % 80, 8), colors.bg3, 3)
            fill_round(painter, QRect(380 + row * 53 % 300, top, 60 + row * 71 % 200, 8), colors.bg3, 3)
        painter.setOpacity(1)


def _load_panes() -> None:
    import traceview.app.inspectors.pane
    import traceview.app.replay.state_panel
    import traceview.app.replay.transport
    import traceview.app.timeline.waterfall  # noqa: F401 - for the next import to find it loaded


def _column(parent: QWidget, *widgets: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(parent)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    for widget in widgets:
        column.addWidget(widget, 1 if widget is widgets[-1] else 0)
    return column
