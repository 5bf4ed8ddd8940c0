"""Which traces the list shows: what was typed, the chips that clicks added, the range brushed in the histogram."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from traceview.app.state.trace_filter import FilterError, TraceFilter, parse_filter


class Filters(QObject):
    """The filters of the trace list; they name what they hide, so nothing disappears without a word.

    Signals:
        filter_changed(TraceFilter): other traces match by what they are.
        range_changed(object): another range of starts, (from_ns, to_ns) or None for all.
        error_changed(str): why the typed line is not understood, or "". The last good filter stays in force.
    """

    filter_changed = Signal(object)
    range_changed = Signal(object)
    error_changed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._typed = ""
        self._line = TraceFilter()
        self._chips: tuple[str, ...] = ()
        self._range: tuple[int, int] | None = None
        self._error = ""

    @property
    def typed(self) -> str:
        """What stands in the filter line."""
        return self._typed

    @property
    def chips(self) -> tuple[str, ...]:
        """The terms that clicks added, in the filter line's language."""
        return self._chips

    @property
    def range(self) -> tuple[int, int] | None:
        """The brushed range of starts in ns, both ends included, or None."""
        return self._range

    @property
    def error(self) -> str:
        """Why the filter line is not understood, or ""."""
        return self._error

    @property
    def active(self) -> bool:
        """Whether anything may be hidden."""
        return bool(self._typed.strip() or self._chips or self._range)

    def in_everything(self) -> str:
        """The typed line as one that looks for its words in all that was recorded; "" where that can't be said."""
        return "" if self._error else self._line.in_everything()

    def current(self) -> TraceFilter:
        """The typed line and the chips together."""
        whole = self._line
        for chip in self._chips:
            whole = whole.both(parse_filter(chip))
        return whole

    def type(self, text: str) -> None:
        """Takes over the filter line after a keystroke."""
        if text == self._typed:
            return
        self._typed = text
        try:
            line, error = parse_filter(text), ""
        except FilterError as problem:
            line, error = self._line, str(problem)
        if error != self._error:
            self._error = error
            self.error_changed.emit(error)
        if not error:
            self._line = line
            self.filter_changed.emit(self.current())

    def add(self, term: str) -> None:
        """Adds a chip; one that is there already stays one."""
        if term not in self._chips:
            self._chips = (*self._chips, term)
            self.filter_changed.emit(self.current())

    def remove(self, term: str) -> None:
        """Takes a chip away."""
        if term in self._chips:
            self._chips = tuple(chip for chip in self._chips if chip != term)
            self.filter_changed.emit(self.current())

    def brush(self, range_ns: tuple[int, int] | None) -> None:
        """Shows only traces that started in this range; None shows all."""
        if range_ns != self._range:
            self._range = range_ns
            self.range_changed.emit(range_ns)

    def clear(self) -> None:
        """Shows everything again."""
        self.brush(None)
        self._chips = ()
        if self._error:
            self._error = ""
            self.error_changed.emit("")
        self._typed, self._line = "", TraceFilter()
        self.filter_changed.emit(self.current())
