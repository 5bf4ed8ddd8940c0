"""What is remembered between two starts: theme, time zone, layout, recent files. An INI file of strings and JSON."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QSettings

THEMES: Final = ("system", "dark", "light")
ZONES: Final = ("local", "utc")
_RECENT: Final = 8


class Settings:
    """Reads and writes the settings file; what it can't read it takes for not set.

    Only strings are stored: QSettings would read other values back as whatever the file claims them to be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _make_private(path)
        self._ini = QSettings(str(path), QSettings.Format.IniFormat)

    @property
    def theme(self) -> str:
        """One of THEMES."""
        return self._choice("theme", THEMES)

    @theme.setter
    def theme(self, value: str) -> None:
        self._ini.setValue("theme", value)

    @property
    def zone(self) -> str:
        """One of ZONES: in which zone times of day are shown."""
        return self._choice("zone", ZONES)

    @zone.setter
    def zone(self, value: str) -> None:
        self._ini.setValue("zone", value)

    @property
    def tzinfo(self) -> tzinfo | None:
        """The zone to show times in; None is this computer's."""
        return UTC if self.zone == "utc" else None

    def layout(self, name: str) -> dict[str, Any]:
        """What a pane saved under this name, {} where nothing was or it can't be read."""
        found = self._json(f"layout/{name}")
        return found if isinstance(found, dict) else {}

    def set_layout(self, name: str, layout: dict[str, Any]) -> None:
        """Saves sizes and switches of a pane."""
        self._ini.setValue(f"layout/{name}", json.dumps(layout))

    def reset_layout(self) -> None:
        """Forgets all layouts; theme, zone and recent files stay."""
        self._ini.remove("layout")

    def recent_files(self) -> list[Path]:
        """Files opened lately, newest first."""
        found = self._json("recent")
        return [Path(item) for item in found if isinstance(item, str)] if isinstance(found, list) else []

    def add_recent_file(self, path: Path) -> None:
        """Puts a file first among the recent ones."""
        paths = [path, *(other for other in self.recent_files() if other != path)]
        self._ini.setValue("recent", json.dumps([str(item) for item in paths[:_RECENT]]))

    def save(self) -> bool:
        """Writes the file; returns whether that worked (a full disk must not keep the window from closing)."""
        self._ini.sync()
        return self._ini.status() is QSettings.Status.NoError

    def _choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self._ini.value(key)
        return value if isinstance(value, str) and value in choices else choices[0]

    def _json(self, key: str) -> Any:
        value = self._ini.value(key)
        try:
            return json.loads(value) if isinstance(value, str) else None
        except ValueError:
            return None


def _make_private(path: Path) -> None:
    """It names the files one has opened: for this user only. QSettings keeps the rights of a file that is there."""
    with contextlib.suppress(OSError):  # an unusable folder is told of where the daemon or the store needs it
        path.touch(mode=0o600)
        path.chmod(0o600)
