"""Settings: what was chosen is there after a restart; a damaged file means defaults, never an error."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path

import pytest

from traceview.app.settings import Settings

pytestmark = pytest.mark.usefixtures("qapp")


def test_what_was_chosen_is_there_after_a_restart(home: Path) -> None:
    settings = Settings(home / "settings.ini")
    settings.theme = "light"
    settings.zone = "utc"
    settings.set_layout("window", {"size": [1600, 1000], "maximised": False})
    settings.add_recent_file(home / "a.json")
    assert settings.save()
    again = Settings(home / "settings.ini")
    assert (again.theme, again.zone, again.tzinfo) == ("light", "utc", UTC)
    assert again.layout("window") == {"size": [1600, 1000], "maximised": False}
    assert again.recent_files() == [home / "a.json"]


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
@pytest.mark.parametrize("before", [None, 0o644])
def test_the_file_is_for_its_user_only(home: Path, before: int | None) -> None:
    path = home / "settings.ini"
    if before is not None:
        path.write_text("[General]\ntheme=dark\n")
        path.chmod(before)
    settings = Settings(path)
    settings.add_recent_file(home / "secret.json")
    assert settings.save()
    assert path.stat().st_mode & 0o777 == 0o600
    assert settings.theme == ("system" if before is None else "dark")


def test_a_folder_that_is_not_there_is_no_error(home: Path) -> None:
    assert Settings(home / "nowhere" / "settings.ini").theme == "system"


def test_defaults_hold_where_nothing_was_chosen(home: Path) -> None:
    settings = Settings(home / "settings.ini")
    assert (settings.theme, settings.zone, settings.tzinfo) == ("system", "local", None)
    assert settings.layout("window") == {}
    assert settings.recent_files() == []


def test_values_that_make_no_sense_are_taken_for_not_set(home: Path) -> None:
    (home / "settings.ini").write_text(
        '[General]\ntheme=neon\nzone=mars\nrecent="{\\"a\\": 1}"\n[layout]\nwindow=[1\nlist="[1, 2]"\n'
    )
    settings = Settings(home / "settings.ini")
    assert (settings.theme, settings.zone) == ("system", "local")
    assert (settings.layout("window"), settings.layout("list"), settings.recent_files()) == ({}, {}, [])


def test_reset_forgets_layouts_and_nothing_else(home: Path) -> None:
    settings = Settings(home / "settings.ini")
    settings.theme = "dark"
    settings.set_layout("window", {"list": 300})
    settings.reset_layout()
    assert settings.layout("window") == {}
    assert settings.theme == "dark"


def test_recent_files_are_few_and_newest_first(home: Path) -> None:
    settings = Settings(home / "settings.ini")
    for name in "abcdefghijab":
        settings.add_recent_file(Path(f"/{name}"))
    assert [str(path) for path in settings.recent_files()] == ["/b", "/a", "/j", "/i", "/h", "/g", "/f", "/e"]


def test_a_file_that_cannot_be_written_is_told(home: Path) -> None:
    settings = Settings(home / "settings.ini" / "impossible.ini")
    (home / "settings.ini").write_text("")
    settings.theme = "dark"
    assert not settings.save()
