"""Any value to look into: a tree or a text of it, one search for both, long strings opened where they have room."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from traceview.app.controls import IconButton, SearchField
from traceview.app.inspectors.detail import Detail
from traceview.app.inspectors.finder import Finder
from traceview.app.inspectors.labels import Saying
from traceview.app.inspectors.text_view import TextView
from traceview.app.inspectors.tree_page import TreePage
from traceview.app.inspectors.tree_rows import TreeRows
from traceview.app.inspectors.word_switch import WordSwitch
from traceview.app.models.json_tree import JsonTree
from traceview.app.models.json_values import content_of
from traceview.app.theme import Theme

TREE, TEXT = "Tree", "Text"


class Explorer(QWidget):
    """A value as tree and as text; strings are text only. `rows` paints the tree, `name` is what it is called."""

    def __init__(self, name: str, rows: TreeRows | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: Any = None
        self._stale_text = True
        self.search = SearchField(f"Find in {name.lower()}", parent=self)
        self.switch = WordSwitch("Show as", (TREE, TEXT), self)
        self.more = IconButton("more", "More", parent=self)
        self.tree = TreePage(rows or TreeRows(name), self)
        self.text = TextView(self)
        self.detail = Detail(self)
        self.saying = Saying(self)
        self.pages = QStackedWidget(self)
        for page in (self.tree, self.text, self.detail, self.saying):
            self.pages.addWidget(page)
        self._parts: tuple[Any, ...] = (self.search, self.switch, self.more, self.tree, self.text, self.detail)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.toolbar = QWidget(self)
        row = QHBoxLayout(self.toolbar)
        row.setContentsMargins(12, 10, 12, 8)
        row.setSpacing(8)
        row.addWidget(self.search, 1)
        row.addWidget(self.switch)
        row.addWidget(self.more)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.toolbar)
        column.addWidget(self.pages, 1)

    def _connect(self) -> None:
        self.search.text_changed.connect(self._find)
        self.search.submitted.connect(lambda: self._finder().go(1))
        self.search.backward.connect(lambda: self._finder().go(-1))
        self.search.escaped.connect(self._leave_search)
        self.switch.changed.connect(self._show)
        self.more.clicked.connect(self._pop_up)
        self.tree.text_wanted.connect(self.open_detail)
        self.detail.back.clicked.connect(self.close_detail)
        for finder in (self.tree.finder, self.text.finder, self.detail.text.finder):
            finder.changed.connect(self._show_count)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        for part in (*self._parts, self.saying):
            part.set_theme(colors)

    @property
    def value(self) -> Any:
        """The value shown."""
        return self._value

    def set_value(self, value: Any, *, again: bool = False) -> None:
        """Shows a value, or (`again`) a newer picture of it: then what is open, chosen and scrolled stays."""
        if not isinstance(value, str):
            self.set_tree(JsonTree(value), again=again)
            return
        self._take(value, again=again)
        self.switch.hide()
        self._show(TEXT, again=again)

    def set_tree(self, tree: JsonTree, *, again: bool = False) -> None:
        """Shows a tree that somebody else made."""
        self._take(tree.root.value, again=again)
        self.switch.setVisible(content_of(tree.root.value) is not None)
        self.tree.set_tree(tree, again=again)
        if self.pages.currentWidget() is not self.detail:
            self._show(self.switch.chosen, again=again)

    def _take(self, value: Any, *, again: bool) -> None:
        self._value = value
        self._stale_text = True
        if not again:
            self.close_detail()
        self.toolbar.show()

    def say(self, headline: str, hint: str = "") -> None:
        """Says why there is no value."""
        self._value = None
        self.toolbar.hide()
        self.saying.say(headline, hint)
        self.pages.setCurrentWidget(self.saying)

    def open_detail(self, path: str, value: Any) -> None:
        """Shows one long string by itself."""
        self.detail.show_value(path, value)
        self.pages.setCurrentWidget(self.detail)
        self.detail.text.setFocus()
        self._find(self.search.text)

    def close_detail(self) -> None:
        """Goes back to the tree."""
        if self.pages.currentWidget() is self.detail:
            had_focus = self.detail.isAncestorOf(QApplication.focusWidget() or self)
            self.pages.setCurrentWidget(self.tree)
            if had_focus:
                self.tree.setFocus()
            self._find(self.search.text)

    def menu(self) -> QMenu:
        """What one can do with the whole."""
        menu = QMenu(self)
        menu.addAction("Copy all").triggered.connect(lambda: self.tree.copier.copy_value(self._value))
        if self.pages.currentWidget() is self.tree:
            menu.addAction("Expand all").triggered.connect(self.tree.expand_all)
            menu.addAction("Collapse all").triggered.connect(self.tree.collapse_all)
        else:
            view = self.detail.text if self.pages.currentWidget() is self.detail else self.text
            menu.addAction("Save…").triggered.connect(view.save)
        return menu

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+F goes to the search field, Escape back from a string shown by itself."""
        if event.matches(QKeySequence.StandardKey.Find) and self.toolbar.isVisible():
            self.search.start_typing()
        elif event.key() == Qt.Key.Key_Escape and self.pages.currentWidget() is self.detail:
            self.close_detail()
        else:
            super().keyPressEvent(event)

    def _leave_search(self) -> None:
        page = self.pages.currentWidget()
        if page is not None:
            page.setFocus()

    def _pop_up(self) -> None:
        menu = self.menu()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _show(self, word: str, *, again: bool = False) -> None:
        if word == TEXT:
            self._write_text(again=again)
        self.pages.setCurrentWidget(self.text if word == TEXT else self.tree)
        if not again:
            self._find(self.search.text)

    def _write_text(self, *, again: bool) -> None:
        if self._stale_text:
            self._stale_text = False
            if isinstance(self._value, str):
                self.text.set_text(self._value, again=again)
            else:
                self.text.set_value(self._value, again=again)

    def _finder(self) -> Finder:
        page = self.pages.currentWidget()
        if page is self.detail:
            return self.detail.text.finder
        return self.text.finder if page is self.text else self.tree.finder

    def _find(self, wanted: str) -> None:
        page = self.pages.currentWidget()
        for view in (self.tree, self.text, self.detail):
            view.look_for(wanted if view is page else "")
        self._show_count()

    def _show_count(self) -> None:
        page = self.pages.currentWidget()
        waiting = (page is self.text and not self.text.whole) and not self.text.finder.hits
        count = "…" if waiting else self._finder().count_text()
        self.search.set_count(count if self.search.text else "")
