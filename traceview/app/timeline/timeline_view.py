"""The timeline beside the tree: one graphics item that paints the visible rows, whatever the size of the run."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QScrollBar, QStyleOptionGraphicsItem, QWidget

from traceview.app.theme import ROW, Theme, theme
from traceview.app.timeline.bars import BarPainter, Frame
from traceview.app.timeline.geometry import Scale, TimeRange
from traceview.app.timeline.time_window import ZOOM_STEP, TimeWindow
from traceview.app.timeline.timeline_painter import TimelinePainter, plot_scale
from traceview.app.timeline.tree_view import SpanTreeView

_DRAG_FROM: Final = 4
_NEAR: Final = 6
_SCROLL_BAR: Final = 9
_WHEEL_STEP: Final = 120


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the picture: some time of some rows, the last one included."""

    times: TimeRange
    first: int
    last: int


class _Drag(enum.Enum):
    """What a drag does: nothing yet, move what is shown, or select an area."""

    NONE = enum.auto()
    PAN = enum.auto()
    AREA = enum.auto()


class _RowsItem(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph is not typed
    """Paints grid, rows and lines in pixels of the view; only what is exposed."""

    def __init__(self, view: TimelineView) -> None:
        super().__init__()
        self._view = view
        self.setFlag(self.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def boundingRect(self) -> QRectF:
        return QRectF(self._view.viewport().rect())

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        self._view.paint_rows(painter, option.exposedRect.toAlignedRect())


class _OverlayItem(_RowsItem):
    """Paints what follows the mouse: the time cursor and the area that is being selected."""

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        self._view.paint_overlay(painter)


class TimelineView(pg.GraphicsView):  # type: ignore[misc]  # pyqtgraph is not typed
    """Shares rows, scroll, selection and hover with the tree; owns pan, zoom and what the mouse does.

    Signals:
        pointed(object): the time under the mouse in ns since the run's start, or None.
        hovered(int): the row under the mouse, or -1. clicked(int): a row was clicked, or -1 beside all rows.
        zoom_asked(int): a row was double clicked.
        area_selected(object): the Area of a Shift+drag while it grows, or None when it is taken back.
    """

    pointed = Signal(object)
    hovered = Signal(int)
    clicked = Signal(int)
    zoom_asked = Signal(int)
    area_selected = Signal(object)

    def __init__(self, tree: SpanTreeView, window: TimeWindow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tree = tree
        self._window = window
        self._theme = theme(True)
        self._pointer: QPointF | None = None
        self._pressed: QPointF | None = None
        self._last: QPointF | None = None
        self._drag = _Drag.NONE
        self._area: Area | None = None
        self._painter = TimelinePainter(tree)
        self._rows_item, self._overlay = _RowsItem(self), _OverlayItem(self)
        self.addItem(self._rows_item)
        self.addItem(self._overlay)
        self.setAccessibleName("Timeline")
        self.setMinimumWidth(160)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMouseTracking(True)
        self.scroll_bar = self._scroll_bar_of(tree.verticalScrollBar())
        window.changed.connect(self.refresh)
        tree.verticalScrollBar().valueChanged.connect(self.refresh)
        tree.hovered_row_changed.connect(self.refresh)
        tree.current_changed.connect(self.refresh)
        tree.rows.modelReset.connect(self._forget)
        self.set_theme(self._theme)

    def _scroll_bar_of(self, source: QScrollBar) -> QScrollBar:
        """The tree's scroll bar, shown here at the right edge of the waterfall."""
        bar = QScrollBar(Qt.Orientation.Vertical, self)
        bar.setSingleStep(ROW)
        bar.setCursor(Qt.CursorShape.ArrowCursor)
        bar.hide()

        def take_range(first: int, last: int) -> None:
            bar.setPageStep(source.pageStep())
            bar.setRange(first, last)
            bar.setVisible(last > first)

        source.rangeChanged.connect(take_range)
        source.valueChanged.connect(bar.setValue)
        bar.valueChanged.connect(source.setValue)
        return bar

    # What is shown

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self._painter.set_theme(colors)
        self.setBackground(colors.bg1)
        self.refresh()

    def set_live(self, live: bool) -> None:
        """Whether the run grows: then a line marks now."""
        self._painter.live = live
        self.refresh()

    def set_playhead(self, time: float | None) -> None:
        """Where the replay stands, in ns since the run's start; what comes later is dimmed. None: not replaying."""
        self._painter.playhead = time
        self.refresh()

    @property
    def playhead(self) -> float | None:
        """Where the replay stands, in ns since the run's start, or None."""
        return self._painter.playhead

    def refresh(self) -> None:
        """Paints again."""
        self.viewport().update()

    def _forget(self) -> None:
        self.bars.forget()
        self.set_area(None)
        self.refresh()

    @property
    def bars(self) -> BarPainter:
        """What paints the bars, and knows where they are."""
        return self._painter.bars

    @property
    def scale(self) -> Scale:
        """How times map to pixels now."""
        return plot_scale(self._window, self.viewport().width())

    @property
    def frame(self) -> Frame:
        """What all rows of the picture share."""
        return self._frame(self.viewport().rect())

    def _frame(self, exposed: QRect) -> Frame:
        return Frame(self.scale, 0, self.viewport().width(), exposed, self._tree.found_text)

    @property
    def pointer(self) -> QPointF | None:
        """Where the mouse is, or None."""
        return self._pointer

    def span_at(self, place: QPointF) -> int:
        """The span whose bar lies at a place or a few pixels beside it; -1 if none does."""
        span = self._tree.rows.span_at(self._tree.row_at(round(place.y())))
        if span < 0:
            return -1
        bar = self.bars.bar(span, self.scale)
        return span if bar.left - _NEAR <= place.x() <= bar.right + _NEAR else -1

    @property
    def pointer_time(self) -> float | None:
        """The time under the mouse, or None."""
        return None if self._pointer is None else self.scale.time(self._pointer.x())

    @property
    def area(self) -> Area | None:
        """The selected area, or None."""
        return self._area

    def set_area(self, area: Area | None) -> None:
        """Selects an area, or none."""
        if area != self._area:
            self._area = area
            self.refresh()
            self.area_selected.emit(area)

    def area_rect(self, area: Area) -> QRect:
        """Where an area lies in the view."""
        left, right = (round(self.scale.x(time)) for time in (area.times.start, area.times.end))
        top = area.first * ROW - self._tree.scroll_y
        return QRect(left, top, max(1, right - left), (area.last - area.first + 1) * ROW)

    # Painting

    def paint_rows(self, painter: QPainter, exposed: QRect) -> None:
        """Paints grid, rows and lines as far as they are exposed."""
        self._painter.paint(painter, self._frame(exposed), self.viewport().height())

    def paint_overlay(self, painter: QPainter) -> None:
        """Paints the time cursor and the selected area."""
        if self._area is not None:
            box = self.area_rect(self._area)
            wash = QColor(self._theme.accent)
            wash.setAlphaF(0.14)
            painter.fillRect(box, wash)
            painter.setPen(QPen(self._theme.accent, 1))
            painter.drawRect(QRectF(box).adjusted(0.5, 0.5, -0.5, -0.5))
        if self._pointer is not None and self._drag is _Drag.NONE and self._tree.rows.count:
            painter.setPen(QPen(self._theme.text3, 1, Qt.PenStyle.DashLine))
            x = round(self._pointer.x()) + 0.5
            painter.drawLine(QPointF(x, 0), QPointF(x, self.viewport().height()))

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._pressed = self._last = event.position()
            self._tree.setFocus(Qt.FocusReason.MouseFocusReason)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            self._point(event.position())
            return
        far = (event.position() - self._pressed).manhattanLength() >= _DRAG_FROM
        if self._drag is _Drag.NONE and far:
            shifted = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            self._drag = _Drag.AREA if shifted else _Drag.PAN
            self._point(None)
            self.setCursor(Qt.CursorShape.CrossCursor if shifted else Qt.CursorShape.ClosedHandCursor)
        if self._drag is _Drag.AREA:
            self._stretch_area(self._pressed, event.position())
        elif self._drag is _Drag.PAN:
            self._pan(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton or self._pressed is None:
            return
        drag, self._drag, self._pressed = self._drag, _Drag.NONE, None
        self.unsetCursor()
        self._point(event.position())
        if drag is _Drag.NONE:
            self.set_area(None)
            self.clicked.emit(self._tree.row_at(round(event.position().y())))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        row = self._tree.row_at(round(event.position().y()))
        if event.button() is Qt.MouseButton.LeftButton and row >= 0:
            self.zoom_asked.emit(row)

    def viewportEvent(self, event: QEvent) -> bool:
        # Qt tells the view itself nothing when the mouse goes from the picture to the scroll bar on it.
        if event.type() == QEvent.Type.Leave:
            self._point(None)
        return bool(super().viewportEvent(event))

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.accept()
        turned, fine = event.angleDelta(), event.pixelDelta()
        modifiers = event.modifiers()
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            steps = (turned.y() or turned.x()) / _WHEEL_STEP
            self._window.zoom(ZOOM_STEP**-steps, self.scale.time(event.position().x()))
            return
        sideways = turned.y() if modifiers & Qt.KeyboardModifier.ShiftModifier else turned.x()
        if sideways:
            by = fine.x() or sideways / _WHEEL_STEP * 3 * ROW
            self._window.show(self._window.shown.moved(-by / self.scale.pixels_per_ns))
        else:
            bar = self._tree.verticalScrollBar()
            bar.setValue(bar.value() - round(fine.y() or turned.y() / _WHEEL_STEP * 3 * ROW))
        self._point(event.position())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if event is None:  # pyqtgraph's constructor calls this before there is anything to resize
            return
        for item in (self._rows_item, self._overlay):
            item.prepareGeometryChange()
        self.scroll_bar.setGeometry(self.width() - _SCROLL_BAR, ROW, _SCROLL_BAR, self.height() - ROW)
        self.refresh()

    def _point(self, place: QPointF | None) -> None:
        """The mouse is here, or nowhere: moves the time cursor and the hover."""
        if self._drag is not _Drag.NONE:
            place = None
        for at in (self._pointer, place):
            if at is not None:
                self.viewport().update(round(at.x()) - 2, 0, 5, self.viewport().height())
        self._pointer = place
        self.pointed.emit(self.pointer_time)
        self.hovered.emit(-1 if place is None else self._tree.row_at(round(place.y())))

    def _pan(self, place: QPointF) -> None:
        assert self._last is not None, "a drag begins with a press"
        by, self._last = place - self._last, place
        self._window.show(self._window.shown.moved(-by.x() / self.scale.pixels_per_ns))
        bar = self._tree.verticalScrollBar()
        bar.setValue(bar.value() - round(by.y()))

    def _stretch_area(self, begin: QPointF, place: QPointF) -> None:
        scale, scroll = self.scale, self._tree.scroll_y
        times = sorted((scale.time(begin.x()), scale.time(place.x())))
        last = max(0, self._tree.rows.count - 1)
        rows = sorted(max(0, min(last, (round(y) + scroll) // ROW)) for y in (begin.y(), place.y()))
        self.set_area(Area(TimeRange(*times), *rows))
