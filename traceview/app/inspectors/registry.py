"""Which inspectors there are, and which of them fit a span: chosen by what the data is, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtWidgets import QVBoxLayout, QWidget

from traceview.app.inspectors.subject import Subject
from traceview.app.theme import Theme


class Inspector(QWidget):
    """One way to look at a span: a tab's content. Subclasses override both methods."""

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows a span, or (`again`) a newer picture of the one shown: then scrolling and folding stay."""
        raise AssertionError("every inspector shows a span")

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        raise AssertionError("every inspector has the theme's colours")

    def fill_with(self, content: QWidget) -> None:
        """Lays one widget out over the whole of this one."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(content)
        self.setFocusProxy(content)


def _no_count(_: Subject) -> int | None:
    return None


def _never(_: Subject) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class InspectorKind:
    """A kind of inspector: its tab's title, how one is made, which spans it fits, how many things it shows.

    `leads` says for which spans it stands before all others, `empty` for which it only says that there is nothing: then
    it is not what one sees first.
    """

    title: str
    make: Callable[[], Inspector]
    fits: Callable[[Subject], bool]
    count: Callable[[Subject], int | None] = _no_count
    leads: Callable[[Subject], bool] = _never
    empty: Callable[[Subject], bool] = _never


class Registry:
    """The kinds of inspectors, in the order of their tabs. Other packages add theirs before the window is made."""

    def __init__(self, kinds: Iterable[InspectorKind] = ()) -> None:
        self._kinds: list[InspectorKind] = []
        for kind in kinds:
            self.add(kind)

    def add(self, kind: InspectorKind) -> None:
        """Registers a kind after those that are there; raises ValueError where its title is taken."""
        if any(known.title == kind.title for known in self._kinds):
            raise ValueError(f"two inspectors are titled {kind.title!r}")
        self._kinds.append(kind)

    def fitting(self, subject: Subject) -> list[InspectorKind]:
        """The kinds that fit a span, those that lead first."""
        found = [kind for kind in self._kinds if kind.fits(subject)]
        return sorted(found, key=lambda kind: not kind.leads(subject))
