"""A JSON tree with what belongs to it: its search, the path of the current row, copying, the menu."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from traceview.app.controls import LinkButton
from traceview.app.inspectors.copying import Copier
from traceview.app.inspectors.finder import Finder
from traceview.app.inspectors.labels import Label, Painted
from traceview.app.inspectors.tree_rows import TreeRows
from traceview.app.models.json_tree import EXPAND_LIMIT, JsonTree, Path
from traceview.app.models.json_values import ROW_TEXT
from traceview.app.theme import PANEL_HEAD, Theme, mono_font


class TreePage(QWidget):
    """Rows of a tree over a bar with the path of the current one.

    Signals:
        text_wanted(str, object): a value, and its path, that is too long for its row.
    """

    text_wanted = Signal(str, object)

    def __init__(self, rows: TreeRows, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = rows
        self.finder = Finder(self)
        self.copier = Copier(self)
        self.bar = _PathBar(self)
        self._wanted = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(rows, 1)
        column.addWidget(self.bar)
        self.setFocusProxy(rows)
        rows.current_changed.connect(self._show_path)
        rows.opened.connect(self.open_text)
        rows.copy_wanted.connect(self.copy_value)
        rows.menu_wanted.connect(self._pop_up)
        self.finder.arrived.connect(self._go_to)
        self.copier.said.connect(self.bar.label.set_text)
        self.bar.copy.clicked.connect(lambda: self.copy_path(self.rows.current))

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self.rows.set_theme(colors)
        self.bar.set_theme(colors)

    def set_tree(self, tree: JsonTree, *, again: bool = False) -> None:
        """Shows another tree, or (`again`) a newer picture of the same value: then one stays where one is."""
        rows = self.rows
        if not again:
            rows.open_at_first(tree)
            rows.set_current(-1)
            rows.set_tree(tree)
            rows.verticalScrollBar().setValue(0)
            self._show_path(-1)
        else:
            self._replace(tree)
        if self._wanted:
            self.finder.start(rows.search(self._wanted), again=again)

    def _replace(self, tree: JsonTree) -> None:
        rows = self.rows
        older = rows.tree
        tree.adopt(older)
        top, into_row = divmod(rows.scroll_y, rows.row_height)
        current, first = (
            tree.row_like(older.rows[row]) if 0 <= row < len(older) else None for row in (rows.current, top)
        )
        rows.tree = tree
        rows.rows_changed()
        rows.set_current(-1 if current is None else current, scroll=False)
        if first is not None:
            rows.verticalScrollBar().setValue(first * rows.row_height + into_row)

    def look_for(self, wanted: str) -> None:
        """Looks for a text in keys and values, and goes to the first hit."""
        self._wanted = wanted
        self.rows.mark(wanted)
        if wanted:
            self.finder.start(self.rows.search(wanted))
        else:
            self.finder.stop()

    def expand_all(self) -> None:
        """Opens everything, up to 5,000 rows."""
        if not self.rows.tree.expand_all():
            self.bar.label.set_text(f"Opened the first {EXPAND_LIMIT:,} rows")
        self.rows.rows_changed()

    def collapse_all(self) -> None:
        """Closes everything."""
        self.rows.tree.collapse_all()
        self.rows.set_current(-1)
        self.rows.rows_changed()

    def copy_value(self, row: int) -> None:
        """Copies the value of a row."""
        self.copier.copy_value(self.rows.value(row))

    def copy_path(self, row: int) -> None:
        """Copies the path of a row."""
        if row >= 0:
            self.copier.copy_text(self.rows.tree.path(row))

    def open_text(self, row: int) -> None:
        """Shows the value of a row where it has room, if it doesn't fit its row."""
        value = self.rows.value(row)
        if isinstance(value, str):
            self.text_wanted.emit(self.rows.tree.path(row), value)

    def menu(self, row: int) -> QMenu:
        """What one can do with a row."""
        menu = QMenu(self)
        rows = self.rows
        node = rows.tree.rows[row]
        menu.addAction("Copy value").triggered.connect(lambda: self.copy_value(row))
        menu.addAction("Copy path").triggered.connect(lambda: self.copy_path(row))
        if isinstance(node.key, str) and node.parent is not None:
            menu.addAction("Copy key").triggered.connect(lambda: self.copier.copy_text(node.key))
        if isinstance(rows.value(row) if not node.is_range else None, str):
            menu.addAction("Show as text").triggered.connect(lambda: self.open_text(row))
        menu.addSeparator()
        menu.addAction("Expand all").triggered.connect(self.expand_all)
        menu.addAction("Collapse all").triggered.connect(self.collapse_all)
        return menu

    def _pop_up(self, row: int, place: QPoint) -> None:
        menu = self.menu(row)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(place)

    def _go_to(self, path: Path) -> None:
        row = self.rows.tree.row_at(path, reveal=True)
        self.rows.rows_changed()
        if row is not None:
            self.rows.set_current(row)
            self._show_path(row)

    def _show_path(self, row: int) -> None:
        # Rows may have gone in the same breath in which this is told.
        known = 0 <= row < len(self.rows.tree)
        self.bar.label.set_text(self.rows.tree.path(row)[-ROW_TEXT:] if known else self.rows.caption())
        self.bar.copy.setVisible(known)


class _PathBar(Painted):
    """The path of the current row, and the link that copies it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.label = Label("", self, font=mono_font(11), from_end=True)
        self.copy = LinkButton("Copy path", self)
        self.setFixedHeight(PANEL_HEAD)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 1, 8, 0)
        row.setSpacing(8)
        row.addWidget(self.label, 1)
        row.addWidget(self.copy)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        super().set_theme(colors)
        self.label.set_theme(colors)
        self.copy.set_theme(colors)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg1)
        painter.fillRect(0, 0, self.width(), 1, colors.border)
