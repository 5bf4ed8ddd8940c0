"""The app from start to end: places, settings, workers, window; and a run rendered to a picture without a display."""

from __future__ import annotations

import argparse
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PySide6.QtCore import QEventLoop, QSocketNotifier, QTimer
from PySide6.QtWidgets import QApplication

from traceview.app import style
from traceview.app.main_window import MainWindow
from traceview.app.services import Services, make_services
from traceview.app.settings import Settings
from traceview.app.state.open_run import Source
from traceview.protocol.control import AgentError, AgentStatus, status
from traceview.protocol.places import Places, find_places

_RENDER_TIMEOUT_MS: Final = 60_000


class RenderError(Exception):
    """A picture could not be made; the message is one sentence for the user."""


def main(argv: Sequence[str]) -> int:
    """Opens the window, with the files named in `argv` beside the live store; returns the exit code."""
    parsed = _parser().parse_args(list(argv))
    places = find_places()
    try:
        places.prepare()
    except OSError as error:
        print(f"traceview: {places.home} can't be used: {error.strerror or error}", file=sys.stderr)
        return 2
    settings = Settings(places.settings)
    if parsed.reset_ui:
        settings.reset_layout()
    app = make_app()
    services = make_services(places, settings)
    window = MainWindow(services)
    window.first_painted.connect(window.workbench.build_soon)
    # What is loaded then stays: the collector need not walk it again and again while runs stream in.
    window.workbench.built.connect(gc.freeze)
    window.first_painted.connect(lambda: window.files.open(parsed.files))
    with _signals_close(app):
        try:
            # The workers start before the first picture, so that the list is there with it.
            services.start()
            window.show()
            return app.exec()
        finally:
            window.close()
            services.close()


def make_app() -> QApplication:
    """The application object, dressed."""
    app = QApplication.instance() or QApplication(["traceview"])
    assert isinstance(app, QApplication)
    app.setApplicationName("traceview")
    app.setApplicationDisplayName("traceview")
    app.setDesktopFileName("traceview")
    style.prepare(app)
    return app


def render_trace(
    store: Path,
    trace_id: bytes,
    out: Path,
    *,
    size: tuple[int, int] = (1600, 1000),
    dark: bool = True,
    span: bytes | None = None,
    step: int | None = None,
) -> None:
    """Writes a PNG of the whole window with one run open, `span` selected or replayed up to agent step `step`.

    Nothing of the user's is read or changed but the store. Raises RenderError where the run can't be shown.
    """
    app = make_app()
    with TemporaryDirectory(prefix="traceview-") as folder:
        places, live = _places_for(Path(folder), store)
        source = None if live else Source(store, store.name, live=False, origin=store)
        services = make_services(places, Settings(places.settings), source=source, start_daemon=False)
        services.settings.theme = "dark" if dark else "light"
        window = MainWindow(services)
        try:
            window.resize(*size)
            _load(window, services, trace_id)
            if step is not None:
                _go_to_step(services, step)
            if span is not None:
                services.selection.select_span(span)
            if live:
                window.show_status(*_ask_daemon(find_places()))
            else:
                window.status_line.set_file(str(store))
            _settle(app, services)
            if not window.grab().save(str(out), "PNG"):
                raise RenderError(f"{out} can't be written: check that its folder exists and is yours to write")
        finally:
            services.close()
            window.close()
            window.deleteLater()


def _load(window: MainWindow, services: Services, trace_id: bytes) -> None:
    """Waits until the run is open in its panes."""
    problems: list[str] = []
    services.tail.problem_changed.connect(problems.append)

    def begin() -> None:
        services.navigator.wait_for(trace_id)
        window.workbench.build()
        window.show()
        services.tail.start()

    def done() -> bool:
        run = services.selection.run
        if any(problems) or not services.navigator.is_loaded:
            return any(problems)
        whole = run is not None and len(run.moments) >= len(run.tree)
        return whole or services.model.find(trace_id) is None

    _wait(begin, done, (services.tail.run_read, services.tail.problem_changed, services.navigator.loaded))
    if services.selection.run is None:
        raise RenderError(next(filter(None, problems), f"there is no trace {trace_id.hex()} in the store"))


def _go_to_step(services: Services, step: int) -> None:
    from traceview.analysis.steps import moment_of_step

    run = services.selection.run
    assert run is not None
    try:
        moment = moment_of_step(run.moments, run.tree, step)
    except IndexError as error:
        raise RenderError(str(error)) from error
    services.selection.go_to_moment(moment)


def _settle(app: QApplication, services: Services) -> None:
    """Waits until the jobs that showing the run has started are done, and what they in turn have started."""
    for _ in range(3):
        loop = QEventLoop()
        services.jobs.latest("settle", int, lambda _answer, loop=loop: loop.quit())  # type: ignore[misc]
        loop.exec()
        app.processEvents()


def _wait(begin: Callable[[], None], done: Callable[[], bool], signals: Sequence[object]) -> None:
    loop = QEventLoop()

    def look(*_: object) -> None:
        if done():
            loop.quit()

    for one in signals:
        one.connect(look)  # type: ignore[attr-defined]
    QTimer.singleShot(_RENDER_TIMEOUT_MS, loop.quit)
    begin()
    if not done():
        loop.exec()
    for one in signals:
        one.disconnect(look)  # type: ignore[attr-defined]


def _places_for(folder: Path, store: Path) -> tuple[Places, bool]:
    """The user's places, but for the settings, which lie in `folder`; and whether the store is the live one."""
    places = find_places()
    live = store.absolute() == places.store
    return replace(places, store=store.absolute(), home=folder, settings=folder / "settings.ini"), live


def _ask_daemon(places: Places) -> tuple[AgentStatus | None, str]:
    try:
        return status(places), ""
    except AgentError as error:
        return None, str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="traceview", usage="traceview [--reset-ui] [FILE…]")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="trace files to open beside the live store")
    parser.add_argument("--reset-ui", action="store_true", help="forget window size and pane layout")
    return parser


@contextmanager
def _signals_close(app: QApplication) -> Iterator[None]:
    """Meanwhile Ctrl+C and SIGTERM end the app, from its event loop: a handler may run in the middle of painting."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    reading, writing = socket.socketpair()
    for end in (reading, writing):
        end.setblocking(False)
    fd_before = signal.set_wakeup_fd(writing.fileno())
    notifier = QSocketNotifier(reading.fileno(), QSocketNotifier.Type.Read)
    notifier.activated.connect(lambda: app.quit() if set(reading.recv(64)) & set(numbers) else None)
    try:
        yield
    finally:
        notifier.setEnabled(False)
        signal.set_wakeup_fd(fd_before)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        reading.close()
        writing.close()
