"""What the window shows before the first run: three ways to get one, and the demo."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFont,
    QGuiApplication,
    QMouseEvent,
    QPainter,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from traceview.app.controls import IconButton, LinkButton, TextButton, draw_key_cap
from traceview.app.icons import draw_icon
from traceview.app.paint import draw_text, fill_round, metrics, one_line, outline_round, text_width
from traceview.app.theme import Theme, mono_font, ui_font
from traceview.app.views.part import Part
from traceview.protocol.control import AgentStatus

_WIDTH = 640
_INDENT = 24
_ROW = 32
_TOP = 48
_BOTTOM = 40
_COPIED_MS = 1_500
_LABEL = 100
_WRAP = int(Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignVCenter)
_LINES = (
    (("import", "word"), (" traceview as tv", "")),
    (("with", "word"), (" tv.trace(", ""), ('"my-agent"', "text"), ("): run_agent()", "")),
)
_CODE = "\n".join("".join(piece for piece, _ in line) for line in _LINES)
_COMMAND = "traceview run -- python my_agent.py"
_OTLP = {"otlp-http": "OTLP/HTTP", "otlp-grpc": "OTLP/gRPC"}
_DIALECTS = "OpenInference and GenAI conventions are understood"
_DEMO = "A support agent at work, live: parallel tools, a failure, a refund. About 30 s."
_KEYS = (("Ctrl O", "open"), ("Ctrl K", "commands"), ("?", "all keys"))


def dropped_files(data: QMimeData) -> list[Path]:
    """The local files of a drag; nothing is fetched from elsewhere."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


class EmptyState(QScrollArea):
    """Scrolls where the window is small.

    Signals:
        files_dropped(object): paths to open (list of Path).
        choose_requested(): the user wants to choose files in a dialog.
        demo_requested(): the user wants to see the demo.
    """

    files_dropped = Signal(object)
    choose_requested = Signal()
    demo_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sheet = _Sheet()
        self._page = _Page(self.sheet)
        self.setWidget(self._page)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Waiting for the first run")
        self.sheet.drop.files_dropped.connect(self.files_dropped)
        self.sheet.choose.clicked.connect(self.choose_requested)
        self.sheet.drop.clicked.connect(self.choose_requested)
        self.sheet.demo.clicked.connect(self.demo_requested)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._page.set_theme(colors)
        self.sheet.set_theme(colors)

    def set_status(self, status: AgentStatus | None, error: str) -> None:
        """Shows where the daemon listens, or why it doesn't."""
        self.sheet.set_status(status, error)
        self._page.updateGeometry()

    def say_demo_started(self) -> None:
        """The demo needs a moment before its first span arrives."""
        self.sheet.demo.setEnabled(False)
        self.sheet.demo.set_text("Starting…")
        QTimer.singleShot(10_000, self.sheet, self.allow_demo)

    def allow_demo(self) -> None:
        """The demo may be started (again)."""
        self.sheet.demo.setEnabled(True)
        self.sheet.demo.set_text("Try the demo")


class _Page(Part):
    """The ground, with the sheet in its middle."""

    def __init__(self, sheet: _Sheet) -> None:
        super().__init__()
        self._sheet = sheet
        sheet.setParent(self)

    def sizeHint(self) -> QSize:
        return QSize(_WIDTH, self._sheet.height_needed())

    def minimumSizeHint(self) -> QSize:
        return QSize(320, self._sheet.height_needed())

    def resizeEvent(self, event: QResizeEvent) -> None:
        width = min(_WIDTH, self.width() - 48)
        self._sheet.setGeometry((self.width() - width) // 2, 0, width, self._sheet.height_needed())

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg1)


class _Sheet(Part):
    """Headline, three numbered ways in, the demo, the keys."""

    def __init__(self) -> None:
        super().__init__()
        self._headline = "Starting the daemon…"
        self._trouble = False
        self._addresses: list[tuple[str, str, str | None]] = []
        self.copy_code = TextButton("Copy", icon_name="copy", parent=self)
        self.copy_code.clicked.connect(self._copy_code)
        self.copy_addresses: list[IconButton] = []
        self.drop = _DropZone(self)
        self.choose = LinkButton("choose…", parent=self)
        self.demo = TextButton("Try the demo", primary=True, icon_name="play", parent=self)

    @property
    def headline(self) -> str:
        """What is said of the daemon."""
        return self._headline

    def addresses(self) -> list[tuple[str, str]]:
        """Label and address of each OTLP receiver, or what is wrong with it."""
        return [(label, error or address) for label, address, error in self._addresses]

    def set_theme(self, colors: Theme) -> None:
        super().set_theme(colors)
        self.drop.set_theme(colors)
        for button in (self.copy_code, self.choose, self.demo, *self.copy_addresses):
            button.set_theme(colors)

    def set_status(self, status: AgentStatus | None, error: str) -> None:
        self._trouble = bool(error or (status and status.problem))
        if status is None:
            self._headline = error or "Starting the daemon…"
        else:
            self._headline = status.problem or "The daemon is up and listening. Nothing leaves this machine."
        receivers = status.receivers if status else ()
        found = [(_OTLP[item.name], item.address, item.error) for item in receivers if item.name in _OTLP]
        if found != self._addresses:
            self._addresses = found
            self._make_copy_buttons()
        self._place()
        self.update()

    def height_needed(self) -> int:
        return self._y("keys") + 10 + _BOTTOM

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._place()

    def _make_copy_buttons(self) -> None:
        for button in self.copy_addresses:
            button.hide()
            button.deleteLater()
        self.copy_addresses = []
        for label, address, error in self._addresses:
            button = IconButton("copy", f"Copy the {label} address", size=24, parent=self)
            button.set_theme(self._theme)
            button.setVisible(error is None)
            button.clicked.connect(lambda _=False, address=address: QGuiApplication.clipboard().setText(address))
            self.copy_addresses.append(button)

    def _copy_code(self) -> None:
        QGuiApplication.clipboard().setText(_CODE)
        self.copy_code.set_text("Copied")
        QTimer.singleShot(_COPIED_MS, self.copy_code, lambda: self.copy_code.set_text("Copy"))

    def _row_heights(self) -> list[int]:
        """How high each address stands; what is wrong with one is said in full, over several lines."""
        room = self.width() - _INDENT - 60 - _LABEL
        errors = (error for _, _, error in self._addresses)
        return [max(_ROW, _wrapped_height(error or "", ui_font(12), room) + 12) for error in errors] or [_ROW]

    def _y(self, part: str) -> int:
        """The top, or for a line of text the middle, of a part of the sheet."""
        rows = sum(self._row_heights())
        if part not in ("headline", "daemon"):
            rows_above = max(0, _wrapped_height(self._headline, ui_font(13), self.width()) - 20)
            return self._y_below(part, rows) + rows_above
        return self._y_below(part, rows)

    @staticmethod
    def _y_below(part: str, rows: int) -> int:
        offsets = {"headline": 12, "daemon": 42, "one": 84, "code": 104, "command": 200, "two": 244, "otlp": 264}
        below = {"three": 36, "drop": 56, "line": 164, "demo": 184, "keys": 245}
        return _TOP + (offsets[part] if part in offsets else offsets["otlp"] + rows + below[part])

    def _place(self) -> None:
        right = self.width()
        hint = self.copy_code.sizeHint()
        self.copy_code.setGeometry(right - 12 - hint.width() - 2, self._y("code") + 10, hint.width() + 2, 26)
        top = self._y("otlp")
        for button, height in zip(self.copy_addresses, self._row_heights(), strict=False):
            button.move(right - 32, top + (height - 24) // 2)
            top += height
        self.drop.setGeometry(_INDENT, self._y("drop"), right - _INDENT, 88)
        words = round(text_width(ui_font(12), "Drop files here, or "))
        link = self.choose.sizeHint().width()
        left = _INDENT + (right - _INDENT - words - link) // 2
        self.choose.setGeometry(left + words + 1, self._y("drop") + 44, link, 20)
        self.demo.setGeometry(0, self._y("demo"), self.demo.sizeHint().width() + 4, 32)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        self._line(painter, "headline", "Waiting for the first run", ui_font(20, 600), 0)
        ink = colors.interrupted if self._trouble else colors.text2
        height = max(20, _wrapped_height(self._headline, ui_font(13), self.width()))
        _draw_wrapped(painter, QRect(0, self._y("daemon") - 10, self.width(), height), self._headline, ui_font(13), ink)
        self._step(painter, "one", "1", "Add two lines to your agent", "Python 3.11 or newer")
        self._step(
            painter, "two", "2", "Or send OpenTelemetry here", "OpenInference and GenAI conventions are understood"
        )
        self._step(painter, "three", "3", "Or open a file you were sent", ".traceview, OTLP JSON and protobuf")
        self._paint_code(painter, colors)
        self._paint_addresses(painter, colors)
        painter.fillRect(0, self._y("line"), self.width(), 1, colors.border)
        box = QRect(self.demo.width() + 16, self._y("demo"), self.width() - self.demo.width() - 16, 32)
        draw_text(
            painter,
            box,
            "A support agent at work, live: parallel tools, a failure, a refund. About 30 s.",
            ui_font(12),
            colors.text2,
        )
        left = 0
        for cap, words in _KEYS:
            left = draw_key_cap(painter, left, self._y("keys"), cap, colors) + 6
            box = QRect(left, self._y("keys") - 10, 120, 20)
            left += round(draw_text(painter, box, words, ui_font(12), colors.text3)) + 20

    def _line(self, painter: QPainter, part: str, text: str, font: QFont, left: int) -> int:
        box = QRect(left, self._y(part) - 14, self.width() - left, 28)
        return left + round(draw_text(painter, box, text, font, self._theme.text1))

    def _step(self, painter: QPainter, part: str, number: str, title: str, note: str) -> None:
        colors = self._theme
        box = QRect(0, self._y(part) - 10, _INDENT, 20)
        draw_text(painter, box, number, ui_font(13, 600), colors.text3)
        left = self._line(painter, part, title, ui_font(13, 600), _INDENT) + 10
        box = QRect(left, self._y(part) - 10, self.width() - left, 20)
        draw_text(painter, box, note, ui_font(12), colors.text3)

    def _paint_code(self, painter: QPainter, colors: Theme) -> None:
        box = QRect(_INDENT, self._y("code"), self.width() - _INDENT, 72)
        fill_round(painter, box, colors.bg0, 6)
        outline_round(painter, box, colors.border_strong, 6)
        inks = {"word": colors.kind("agent").ink, "text": colors.kind("retriever").ink, "": colors.text1}
        font = mono_font(13)
        for row, line in enumerate(_LINES):
            left = float(box.left() + 16)
            for piece, role in line:
                place = QRect(round(left), box.top() + 10 + 26 * row, 500, 26)
                draw_text(painter, place, piece, font, inks[role])
                left += text_width(font, piece)
        top = self._y("command") - 10
        used = draw_text(painter, QRect(_INDENT, top, 200, 20), "No code change:", ui_font(12), colors.text3)
        left = _INDENT + round(used) + 8
        draw_text(painter, QRect(left, top, self.width() - left, 20), _COMMAND, mono_font(12), colors.text2)

    def _paint_addresses(self, painter: QPainter, colors: Theme) -> None:
        rows = self._addresses or [("OTLP", "", "not received yet")]
        heights = self._row_heights()
        box = QRect(_INDENT, self._y("otlp"), self.width() - _INDENT, sum(heights))
        fill_round(painter, box, colors.bg2, 6)
        outline_round(painter, box, colors.border_strong, 6)
        for row, (label, address, error) in enumerate(rows):
            line = QRect(box.left() + 16, box.top() + sum(heights[:row]), box.width() - 60, heights[row])
            if row:
                painter.fillRect(box.left(), line.top(), box.width(), 1, colors.border_strong)
            draw_text(painter, line, label, ui_font(12), colors.text2)
            place = line.adjusted(_LABEL, 0, 0, 0)
            if error:
                _draw_wrapped(painter, place, error, ui_font(12), colors.interrupted)
            else:
                draw_text(painter, place, address, mono_font(13), colors.text1)


def _wrapped_height(text: str, font: QFont, width: int) -> int:
    return round(metrics(font).boundingRect(QRect(0, 0, width, 1_000), _WRAP, one_line(text)).height())


def _draw_wrapped(painter: QPainter, box: QRect, text: str, font: QFont, ink: QColor) -> None:
    painter.setFont(font)
    painter.setPen(ink)
    painter.drawText(box, _WRAP, one_line(text))


class _DropZone(Part):
    """Where files can be dropped, or chosen by a click.

    Signals:
        files_dropped(object): paths (list of Path). clicked(): a click anywhere in it.
    """

    files_dropped = Signal(object)
    clicked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._over = False
        self.setAcceptDrops(True)
        self.setAccessibleName("Drop files here")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_files(event.mimeData()):
            self._over = True
            event.acceptProposedAction()
            self.update()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._over = False
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        self._over = False
        event.acceptProposedAction()
        self.files_dropped.emit(dropped_files(event.mimeData()))
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.clicked.emit()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        fill_round(painter, self.rect(), colors.selection if self._over else colors.bg2, 6)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        pen = QPen(colors.accent if self._over else colors.text3, 1)
        pen.setDashPattern([6, 4])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(self.rect().toRectF().adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        draw_icon(painter, self.width() // 2 - 10, 14, "download", colors.text2, 20)
        words = "Drop files here, or "
        link = round(text_width(ui_font(12, 600), "choose…")) + 5
        left = (self.width() - round(text_width(ui_font(12), words)) - link) // 2
        draw_text(painter, QRect(left, 44, 200, 20), words, ui_font(12), colors.text2)
