"""A sheet over the window: dims what is behind it, goes away on Escape or a click beside it, gives the focus back."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from traceview.app.paint import fill_round, outline_round
from traceview.app.theme import Theme
from traceview.app.views.part import Part

_SHADE = 110
_MARGIN = 24


class Overlay(QWidget):
    """Covers its parent; subclasses fill `body` (a column) and say how large the sheet is wished.

    Signals:
        closed(): the sheet is gone.
    """

    closed = Signal()

    def __init__(self, window: QWidget, title: str, *, width: int, top: int = 64) -> None:
        super().__init__(window)
        self._window = window
        self._wish, self._top = width, top
        self._before: QWidget | None = None
        self.frame = _Frame(self)
        self.frame.setAccessibleName(title)
        self.body = QVBoxLayout(self.frame)
        self.body.setContentsMargins(1, 1, 1, 1)
        self.body.setSpacing(0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.hide()
        window.installEventFilter(self)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self.frame.set_theme(colors)

    def popup(self) -> None:
        """Shows the sheet; the keyboard goes to it."""
        if not self.isVisible():
            self._before = QApplication.focusWidget()
        self.place()
        self.show()
        self.raise_()
        self.setFocus()

    def dismiss(self) -> None:
        """Takes the sheet away; the keyboard goes back to where it was."""
        if not self.isVisible():
            return
        self.hide()
        if self._before is not None and self._before.isVisible():
            self._before.setFocus()
        self._before = None
        self.closed.emit()

    def wished_height(self) -> int:
        """How high the sheet is, room permitting."""
        return self.frame.sizeHint().height()

    def place(self) -> None:
        """Covers the window again and centres the sheet."""
        self.setGeometry(self._window.rect())
        width = min(self._wish, self.width() - 2 * _MARGIN)
        height = min(self.wished_height(), self.height() - self._top - _MARGIN)
        self.frame.setGeometry(QRect((self.width() - width) // 2, self._top, width, height))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follows the window's size."""
        if event.type() is QEvent.Type.Resize and self.isVisible():
            self.place()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes; other keys don't reach the window beneath."""
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click beside the sheet closes it."""
        if not self.frame.geometry().contains(event.position().toPoint()):
            self.dismiss()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Dims what is behind."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0, _SHADE))
        painter.end()


class _Frame(Part):
    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        fill_round(painter, self.rect(), colors.bg2, 8)
        outline_round(painter, self.rect(), colors.border_strong, 8)
