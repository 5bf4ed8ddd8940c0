"""Asks for files to open and to write, and does it off the GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from traceview.app.export import FILTERS, export_traces
from traceview.app.services import Services
from traceview.app.views.banner import Banner


class FileDialogs:
    """Opens the dialogs of a window; what goes wrong stands in its banner."""

    def __init__(self, window: QWidget, services: Services, banner: Banner) -> None:
        self._window = window
        self._services = services
        self._banner = banner

    def choose(self) -> QFileDialog:
        """Asks for trace files to open."""
        dialog = QFileDialog(self._window, "Open trace files")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        recent = self._services.settings.recent_files()
        if recent:
            dialog.setDirectory(str(recent[0].parent))
        dialog.filesSelected.connect(lambda names: self.open([Path(name) for name in names]))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def open(self, paths: Sequence[Path]) -> None:
        """Opens files beside the live store."""
        for path in paths:
            self._services.settings.add_recent_file(path.absolute())
            self._services.sources.open(path)

    def export(self, trace_ids: Sequence[bytes]) -> QFileDialog:
        """Asks where to write these traces."""
        dialog = QFileDialog(self._window, "Export traces")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(FILTERS.split(";;"))
        dialog.setDefaultSuffix("traceview")
        dialog.filterSelected.connect(
            lambda chosen: dialog.setDefaultSuffix("json" if "json" in chosen else "traceview")
        )
        dialog.selectFile(self._suggestion(trace_ids))
        dialog.fileSelected.connect(lambda name: self.write(trace_ids, Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def write(self, trace_ids: Sequence[bytes], target: Path) -> None:
        """Writes traces of the shown source to a file."""
        source = self._services.navigator.source
        self._services.jobs.latest(
            f"export {target}",
            lambda: export_traces(source, trace_ids, target),
            lambda count: self._tell_written(count, target),
            lambda error: self._banner.tell(_why(target, error)),
        )

    def _tell_written(self, count: int, target: Path) -> None:
        traces = "1 trace" if count == 1 else f"{count:,} traces"
        folder = QUrl.fromLocalFile(str(target.parent))
        actions = (
            ("Show in folder", lambda: QDesktopServices.openUrl(folder)),
            ("Copy path", lambda: QGuiApplication.clipboard().setText(str(target))),
        )
        self._banner.tell(f"{traces} exported to {target}", "done", actions)

    def _suggestion(self, trace_ids: Sequence[bytes]) -> str:
        trace = self._services.model.find(trace_ids[0]) if len(trace_ids) == 1 else None
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in trace.name)[:60] if trace else "traces"
        return f"{name.lstrip('.') or 'trace'}.traceview"


def _why(target: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{target} can't be written: {error.strerror or error}"
    return str(error)
