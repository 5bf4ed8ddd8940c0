"""The window: bar, trace list, the run's panes or the empty state, status line; theme, layout, and what is dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QProcess, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from traceview.app import style
from traceview.app.actions import keys_text
from traceview.app.commands import Commands
from traceview.app.files import FileDialogs
from traceview.app.icons import icon
from traceview.app.palette import Palette, command_entries, file_entries, run_entries
from traceview.app.services import Services
from traceview.app.settings import THEMES
from traceview.app.state.open_run import OpenRun, Source
from traceview.app.theme import Theme, system_theme, theme
from traceview.app.views.app_bar import AppBar, View
from traceview.app.views.banner import Banner
from traceview.app.views.empty_state import EmptyState, dropped_files
from traceview.app.views.key_sheet import KeySheet
from traceview.app.views.settings_sheet import SettingsSheet
from traceview.app.views.status_line import StatusLine, otlp_address
from traceview.app.views.trace_list import LIST_WIDTH, TraceList
from traceview.app.views.trace_rows import RAIL_WIDTH
from traceview.app.workbench import NARROW, Workbench
from traceview.protocol.control import AgentStatus

VIEWS: Final = (View("waterfall", "Waterfall", "waterfall"),)
_DEMO: Final = ["-P", "-m", "traceview", "demo", "--no-window"]
_NOTHING_LOST: Final = "Nothing new is stored until then; programs keep their spans meanwhile."
_RECENT_RUNS: Final = 300
_WORDS_FROM: Final = 900
_MIN_SIZE: Final = (800, 480)


class MainWindow(QWidget):
    """Composes the panes and connects them; what they show is decided in state, models and the navigator.

    Signals:
        first_painted(): the window has been seen; what is heavy may be loaded now.
    """

    first_painted = Signal()

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self._theme = theme(True)
        self._painted = False
        self._list_width = LIST_WIDTH
        self._rail_wish: bool | None = None
        self._status: AgentStatus | None = None
        self.bar = AppBar(VIEWS)
        self.banner = Banner()
        self.trace_list = TraceList(services.model, services.filters)
        self.workbench = Workbench(services.selection, services.jobs, services.payloads)
        self.empty = EmptyState()
        self.status_line = StatusLine()
        self.palette_sheet = Palette(self)
        self.key_sheet = KeySheet(self)
        self.settings_sheet = SettingsSheet(self, self._facts())
        self.files = FileDialogs(self, services, self.banner)
        self.commands = Commands(self)
        self._stack = QStackedWidget()
        self._body = QSplitter(Qt.Orientation.Horizontal)
        self._compose()
        self._connect()
        self._restore()

    def _facts(self) -> list[tuple[str, str, Path | None]]:
        places = self.services.places
        return [
            ("Daemon", places.endpoint, None),
            ("OTLP/HTTP", "", None),
            ("Store", str(places.store), places.store.parent),
            ("Daemon's log", str(places.log), places.log.parent),
        ]

    def _compose(self) -> None:
        self.setWindowTitle("traceview")
        self.setMinimumSize(*_MIN_SIZE)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        for page in (self.workbench, self.empty):
            self._stack.addWidget(page)
        self._body.setHandleWidth(1)
        self._body.setChildrenCollapsible(False)
        for pane in (self.trace_list, self._stack):
            self._body.addWidget(pane)
        self._body.setStretchFactor(0, 0)
        self._body.setStretchFactor(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self.bar, self.banner):
            column.addWidget(widget)
        column.addWidget(self._body, 1)
        column.addWidget(self.status_line)
        self.trace_list.set_source(self.services.navigator.source)
        self._show_page()
        self.trace_list.rows.setFocus()

    def _connect(self) -> None:
        self._connect_bar()
        self._connect_list()
        self._connect_workers()
        self.workbench.header.filter_requested.connect(self.services.filters.add)
        self.empty.files_dropped.connect(self.files.open)
        self.empty.choose_requested.connect(self.files.choose)
        self.empty.demo_requested.connect(self.start_demo)
        self.palette_sheet.nothing_found.connect(self._filter_by)
        self.settings_sheet.theme_picked.connect(self.set_theme_choice)
        self.settings_sheet.zone_picked.connect(self.set_zone)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_theme)

    def _connect_bar(self) -> None:
        self.bar.palette_requested.connect(self.show_palette)
        self.bar.panel_toggled.connect(self.toggle_panel)
        self.bar.theme_requested.connect(self.cycle_theme)
        self.bar.settings_requested.connect(self.show_settings)

    def _connect_list(self) -> None:
        services, navigator, traces = self.services, self.services.navigator, self.trace_list
        traces.trace_picked.connect(navigator.pick)
        traces.follow_changed.connect(navigator.follow)
        traces.export_requested.connect(self.files.export)
        traces.keep_requested.connect(services.sources.keep)
        traces.widen_requested.connect(self.toggle_list)
        traces.source_bar.source_picked.connect(navigator.show_source)
        traces.source_bar.source_closed.connect(self._close_source)
        traces.source_bar.reading_cancelled.connect(services.sources.cancel)
        navigator.chosen.connect(lambda trace_id, _picked: traces.rows.choose(trace_id))
        navigator.following_changed.connect(traces.pill.setChecked)
        navigator.source_changed.connect(self._on_source)
        navigator.loaded.connect(self._on_loaded)
        services.model.stats_changed.connect(self._show_page)
        services.texts.note_changed.connect(traces.filter_bar.set_note)

    def _connect_workers(self) -> None:
        services = self.services
        services.tail.problem_changed.connect(self.status_line.set_store_problem)
        services.tail.problem_changed.connect(lambda text: self.banner.stand("reading the store", text))
        services.daemon.start_failed.connect(lambda text: self.banner.stand("starting the daemon", text))
        services.daemon.status_changed.connect(self.show_status)
        self.status_line.start_requested.connect(services.daemon.start_daemon)
        services.sources.changed.connect(self._on_sources)
        services.sources.opened.connect(services.navigator.show_source)
        services.sources.reading.connect(self.trace_list.set_reading)
        services.sources.reading_ended.connect(self.trace_list.source_bar.end_reading)
        services.sources.failed.connect(self.banner.tell)
        services.sources.noticed.connect(lambda text: self.banner.tell(text, "warning"))
        services.sources.kept.connect(lambda text: self.banner.tell(text, "done"))
        services.selection.run_opened.connect(self._on_run)
        services.selection.run_closed.connect(lambda: self.setWindowTitle("traceview"))

    # What happens

    def _on_run(self, run: OpenRun) -> None:
        self.setWindowTitle(f"{run.summary.name} — traceview")

    def _on_source(self, source: Source) -> None:
        self.trace_list.set_source(source)
        self._on_sources()
        self._show_page()

    def _on_sources(self) -> None:
        self.trace_list.source_bar.set_sources(self.services.sources.all(), self.services.navigator.source)

    def _on_loaded(self) -> None:
        self.trace_list.set_loading(False)
        self._show_page()

    def _close_source(self, source: Source) -> None:
        if self.services.navigator.source == source:
            self.services.navigator.show_source(self.services.sources.live)
        self.services.sources.remove(source)

    def _show_page(self) -> None:
        services = self.services
        waiting = services.model.total == 0 and services.navigator.is_loaded and services.navigator.source.live
        page = self.empty if waiting else self.workbench
        if page is not self._stack.currentWidget():
            self._stack.setCurrentWidget(page)
            self.empty.allow_demo()
            self._arrange()
        self._refresh_pill()

    def _refresh_pill(self) -> None:
        self.trace_list.pill.set_state(up=self._status is not None, any_runs=self.services.model.total > 0)

    def _filter_by(self, text: str) -> None:
        self.services.filters.type(text)

    # What can be done

    def show_status(self, status: AgentStatus | None, error: str) -> None:
        """Shows how the daemon is; with None, why nothing is known of it."""
        self._status = status
        self.status_line.set_status(status, error)
        problem = status.problem if status else None
        self.banner.stand("the daemon", f"{problem.rstrip('.')}. {_NOTHING_LOST}" if problem else "")
        self.empty.set_status(status, error)
        self.settings_sheet.set_text("OTLP/HTTP", otlp_address(status) or "not received")
        self._refresh_pill()

    def show_palette(self) -> None:
        """Opens the command palette."""
        services = self.services
        entries = command_entries(self.commands.actions)
        entries += file_entries(services.settings.recent_files(), lambda file: self.files.open([file]))
        entries += run_entries(services.model.recent(_RECENT_RUNS), services.navigator.pick)
        self.palette_sheet.open(entries)

    def show_keys(self) -> None:
        """Shows all keys."""
        groups = self.commands.actions.groups()
        self.key_sheet.set_groups(
            {
                name: [(action.text, tuple(keys_text(keys) for keys in action.keys)) for action in actions]
                for name, actions in groups.items()
            }
        )
        self.key_sheet.popup()

    def show_settings(self) -> None:
        """Opens the settings."""
        self.settings_sheet.set_choices(self.services.settings.theme, self.services.settings.zone)
        self.settings_sheet.popup()

    def toggle_panel(self) -> None:
        """Shows or hides the inspector."""
        self.workbench.show_panel(not self.workbench.panel_visible)

    def toggle_list(self) -> None:
        """Shrinks the trace list to its rail, or widens it."""
        self._rail_wish = not self.trace_list.rail
        self._arrange()

    def start_demo(self) -> None:
        """Starts the demo as a process of its own."""
        import sys

        started, _pid = QProcess.startDetached(sys.executable, _DEMO)
        if started:
            self.empty.say_demo_started()
        else:
            self.banner.tell(f"The demo could not be started: run `{sys.executable} {' '.join(_DEMO)}`")

    def cycle_theme(self) -> None:
        """As the system, dark, light, and round again."""
        place = THEMES.index(self.services.settings.theme)
        self.set_theme_choice(THEMES[(place + 1) % len(THEMES)])

    def set_theme_choice(self, choice: str) -> None:
        """Remembers and shows "system", "dark" or "light"."""
        self.services.settings.theme = choice
        self.bar.set_theme_choice(choice)
        self.settings_sheet.set_choices(choice, self.services.settings.zone)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        self.set_theme(system_theme(app) if choice == "system" else theme(choice == "dark"))

    def set_zone(self, zone: str) -> None:
        """Remembers and shows times of day in "local" or "utc"."""
        self.services.settings.zone = zone
        info = self.services.settings.tzinfo
        self.trace_list.set_zone(info)
        self.status_line.set_zone(info)
        self.settings_sheet.set_choices(self.services.settings.theme, zone)

    def set_theme(self, colors: Theme) -> None:
        """Repaints the whole window in other colours."""
        self._theme = colors
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        style.dress(app, colors)
        self.setWindowIcon(icon("mark", colors.accent, 32))
        for pane in (self.bar, self.banner, self.trace_list, self.workbench, self.empty, self.status_line):
            pane.set_theme(colors)
        for sheet in (self.palette_sheet, self.key_sheet, self.settings_sheet):
            sheet.set_theme(colors)

    def _on_system_theme(self) -> None:
        if self.services.settings.theme == "system":
            self.set_theme_choice("system")

    # Layout

    def _restore(self) -> None:
        settings = self.services.settings
        layout = settings.layout("window")
        size = layout.get("size")
        good = isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size)
        self.resize(*(size if good and size is not None else (1600, 1000)))
        if layout.get("maximised") is True:
            self.setWindowState(Qt.WindowState.WindowMaximized)
        width = layout.get("list")
        self._list_width = width if isinstance(width, int) and 200 <= width <= 1000 else LIST_WIDTH
        self.workbench.restore_layout(settings.layout("workbench"))
        self.set_theme_choice(settings.theme)
        self.set_zone(settings.zone)
        self._arrange()

    def save_layout(self) -> None:
        """Writes sizes and switches to the settings file."""
        if not self.trace_list.rail:
            self._list_width = self.trace_list.width()
        size = self.normalGeometry().size() if self.isMaximized() else self.size()
        layout: dict[str, Any] = {
            "size": [size.width(), size.height()],
            "maximised": self.isMaximized(),
            "list": self._list_width,
        }
        self.services.settings.set_layout("window", layout)
        self.services.settings.set_layout("workbench", self.workbench.save_layout())
        self.services.settings.save()

    def _arrange(self) -> None:
        rail = self.width() < NARROW if self._rail_wish is None else self._rail_wish
        if self._stack.currentWidget() is self.empty and self._rail_wish is None:
            rail = False  # with nothing to show beside it, the list is what there is
        if rail and not self.trace_list.rail and self.trace_list.isVisible():
            self._list_width = self.trace_list.width()
        changed = rail != self.trace_list.rail or not self._painted
        self.trace_list.set_rail(rail)
        if changed:
            list_width = RAIL_WIDTH if rail else self._list_width
            self._body.setSizes([list_width, max(1, self.width() - list_width - 1)])
        self.workbench.arrange(self.width())
        self.bar.set_narrow(self.width() < _WORDS_FROM)

    # Qt

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Narrowing rules; crossing the limit forgets what was wished on its other side."""
        super().resizeEvent(event)
        if (event.oldSize().width() < NARROW) != (event.size().width() < NARROW):
            self._rail_wish = None
        self._arrange()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys that the focused widget did not want become commands."""
        if not self.commands.actions.handle(event):
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files may be dropped anywhere."""
        if dropped_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Opens what was dropped."""
        event.acceptProposedAction()
        self.files.open(dropped_files(event.mimeData()))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tells once that the window has been seen."""
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self.first_painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remembers the layout."""
        self.save_layout()
        super().closeEvent(event)
