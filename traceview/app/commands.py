"""Everything the window can be told by key or from the palette, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication

from traceview.app.actions import Action, Actions

if TYPE_CHECKING:
    from traceview.app.main_window import MainWindow

# Waterfall method, words, keys; the words are what palette and key sheet say.
_WATERFALL = (
    ("zoom_in", "Zoom in", ("W",)),
    ("zoom_out", "Zoom out", ("S",)),
    ("pan_left", "Pan left", ("A",)),
    ("pan_right", "Pan right", ("D",)),
    ("fit", "Fit the selection, then the whole run", ("F",)),
    ("next_span", "Next span on the row", (".",)),
    ("previous_span", "Previous span on the row", (",",)),
    ("next_error", "Next error", ("E",)),
    ("previous_error", "Previous error", ("Shift+E",)),
    ("collapse_all", "Collapse all", ("[",)),
    ("expand_all", "Expand all", ("]",)),
)
_REPLAY = (
    ("forward", "Next step", ("F10",)),
    ("back", "Previous step", ("Alt+F10",)),
    ("into", "Step into", ("F11",)),
    ("back_into", "Step back into", ("Alt+F11",)),
    ("out", "Step out", ("Shift+F11",)),
    ("back_out", "Step back out", ("Alt+Shift+F11",)),
    ("first", "To the start", ("Home",)),
    ("last", "To the end", ("End",)),
    ("toggle_play", "Play or pause", ("Space",)),
    ("leave", "Leave the replay", ("Esc",)),
)


class Commands:
    """Makes the window's registry of actions."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.actions = Actions()
        self._add_general()
        self._add_traces()
        self._add_panes()

    def _add(self, action_id: str, text: str, keys: tuple[str, ...], slot: Callable[[], object], group: str) -> None:
        self.actions.add(Action(action_id, text, keys, slot, group))

    def _add_general(self) -> None:
        window = self._window
        for action_id, text, keys, slot in (
            ("palette", "Search runs and commands", ("Ctrl+K",), window.show_palette),
            ("open", "Open trace files…", ("Ctrl+O",), window.files.choose),
            ("panel", "Show or hide the inspector", ("P",), window.toggle_panel),
            ("list", "Show or shrink the trace list", ("B",), window.toggle_list),
            ("theme", "Next theme: system, dark, light", ("Ctrl+Shift+T",), window.cycle_theme),
            ("settings", "Settings…", ("Ctrl+,",), window.show_settings),
            ("keys", "All keys", ("?",), window.show_keys),
            ("demo", "Start the demo", (), window.start_demo),
            ("daemon", "Start the daemon", (), window.services.daemon.start_daemon),
            ("quit", "Close the window", ("Ctrl+Q",), window.close),
        ):
            self._add(action_id, text, keys, slot, "General")

    def _add_traces(self) -> None:
        window, traces = self._window, self._window.trace_list
        navigator = window.services.navigator
        for action_id, text, keys, slot in (
            ("find", "Filter runs; find in the run once it has the focus", ("/",), self._find),
            ("filter", "Filter runs", ("Ctrl+L",), traces.focus_filter),
            ("next-trace", "Next trace of the list", ("J",), lambda: traces.step(1)),
            ("previous-trace", "Previous trace of the list", ("K",), lambda: traces.step(-1)),
            ("clear-filter", "Clear the filter", (), window.services.filters.clear),
            ("follow", "Open each new run as it starts", ("L",), lambda: navigator.follow(not navigator.following)),
            ("copy-id", "Copy the trace id", (), self._copy_id),
            ("export", "Export the run…", ("Ctrl+E",), self._export),
        ):
            self._add(action_id, text, keys, slot, "Traces")

    def _add_panes(self) -> None:
        self.actions.add(
            Action("find-in-run", "Find in the run", ("Ctrl+F",), self._find_in_run, "Waterfall", self._has_run)
        )
        for method, text, keys in _WATERFALL:
            slot = self._pane_call("waterfall", method)
            self.actions.add(Action(method.replace("_", "-"), text, keys, slot, "Waterfall", self._has_run))
        for method, text, keys in _REPLAY:
            slot = self._pane_call("transport", method)
            self.actions.add(Action(f"replay-{method.replace('_', '-')}", text, keys, slot, "Replay", self._has_run))

    def _pane_call(self, pane: str, method: str) -> Callable[[], object]:
        return lambda: getattr(getattr(self._window.workbench, pane), method)()

    def _has_run(self) -> bool:
        return self._window.services.selection.run is not None and self._window.workbench.waterfall is not None

    def _find(self) -> None:
        focus = QApplication.focusWidget()
        if focus is not None and self._window.workbench.isAncestorOf(focus) and self._has_run():
            self._find_in_run()
        else:
            self._window.trace_list.focus_filter()

    def _find_in_run(self) -> None:
        if self._window.workbench.waterfall is not None:
            self._window.workbench.waterfall.focus_find()

    def _copy_id(self) -> None:
        run = self._window.services.selection.run
        if run is not None:
            QApplication.clipboard().setText(run.summary.trace_id.hex())

    def _export(self) -> None:
        run = self._window.services.selection.run
        if run is not None:
            self._window.files.export([run.summary.trace_id])
