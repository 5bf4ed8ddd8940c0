"""A column of blocks, filled in slices, with a page beside it for what is too long to stand in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from time import perf_counter
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QStackedWidget, QWidget

from traceview.app.inspectors.block_list import BlockList
from traceview.app.inspectors.blocks import Block
from traceview.app.inspectors.detail import Detail
from traceview.app.sliced import SLICE_S, Sliced
from traceview.app.theme import Theme


class BlockView(QStackedWidget):
    """Shows blocks that an iterator makes: the first at once, the rest between events."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = BlockList(name, self)
        self.detail = Detail(self)
        self.addWidget(self.list)
        self.addWidget(self.detail)
        self.setFocusProxy(self.list)
        self._filling = Sliced(self)
        self._batch: list[Block] = []
        self.detail.back.clicked.connect(self.close_detail)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self.list.set_theme(colors)
        self.detail.set_theme(colors)

    def fill(self, groups: Iterator[list[Block]], *, again: bool = False) -> None:
        """Shows these blocks, or (`again`) newer ones in their place."""
        self._filling.stop()
        if not again:
            self.close_detail()
        first: list[Block] = []
        # What is seen again must be there whole: else the pane would scroll up by itself.
        wanted = len(self.list.blocks) if again else 0
        deadline = perf_counter() + SLICE_S
        for group in groups:
            first += group
            if perf_counter() > deadline and len(first) >= wanted:
                break
        self.list.set_blocks(first, again=again)
        rest = next(groups, None)
        if rest is not None:
            self._batch = []
            self._filling.start(chain([rest], groups), self._batch.extend, self._append)

    def _append(self, ended: bool) -> None:
        self.list.append(self._batch)
        self._batch.clear()

    def show_detail(self, title: str, value: Any) -> None:
        """Shows one long value by itself."""
        self.detail.show_value(title, value)
        self.setCurrentWidget(self.detail)
        self.detail.text.setFocus()

    def close_detail(self) -> None:
        """Goes back to the blocks."""
        if self.currentWidget() is self.detail:
            had_focus = self.detail.isAncestorOf(QApplication.focusWidget() or self)
            self.setCurrentWidget(self.list)
            if had_focus:
                self.list.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape goes back to the blocks."""
        if event.key() == Qt.Key.Key_Escape and self.currentWidget() is self.detail:
            self.close_detail()
        elif event.matches(QKeySequence.StandardKey.Copy) and self.currentWidget() is self.list:
            self.list.copy()
        else:
            super().keyPressEvent(event)
