"""Places: one home per user, private folders, sockets whose paths fit; the environment wins over defaults."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from traceview.protocol.places import Places, find_places, is_same

_SUN_PATH = 104  # the smallest of the systems we run on (macOS, BSDs), the closing NUL included


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user whose home folder is `tmp_path`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path


def test_a_chosen_home_holds_everything(tmp_path: Path) -> None:
    home = Path(tempfile.gettempdir()) / "h"
    places = find_places({"TRACEVIEW_HOME": str(home), "XDG_RUNTIME_DIR": "/run/user/1000", "XDG_DATA_HOME": "/x"})
    assert places == Places(
        home=home,
        store=home / "traces.db",
        runtime=home / "run",
        spool=home / "run" / "spool",
        endpoint=f"ipc://{home}/run/agent.sock",
        own_endpoint=f"ipc://{home}/run/agent.sock",
        control=home / "run" / "control.sock",
        agent_file=home / "run" / "agent.json",
        log=home / "agent.log",
        settings=home / "settings.ini",
        config=home / "config.toml",
    )


def test_a_home_may_be_written_short_and_relative(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(user)
    assert find_places({"TRACEVIEW_HOME": "~/here"}).home == user / "here"
    assert find_places({"TRACEVIEW_HOME": "here"}).home == user / "here"


def test_the_config_file_may_say_where_the_store_is(user: Path) -> None:
    environ = {"TRACEVIEW_HOME": str(user)}
    config = user / "config.toml"
    for text, store in [
        ("[store]\npath = 'sub/a.db'", user / "sub" / "a.db"),
        ("store.path = '/a.db'", Path("/a.db")),
        ("store.path = '~/a.db'", user / "a.db"),
        ("store.path = 1", user / "traces.db"),
        ("store = 1", user / "traces.db"),
        ("[agent]", user / "traces.db"),
        ("no TOML", user / "traces.db"),
    ]:
        config.write_text(text)
        assert find_places(environ).store == store
    assert find_places({**environ, "TRACEVIEW_STORE": "/b.db"}).store == Path("/b.db")
    config.write_bytes(b"\xff")
    assert find_places(environ).store == user / "traces.db"


def test_without_a_wish_linux_has_its_folders(user: Path) -> None:
    places = find_places({})
    assert places.home == user / ".local" / "share" / "traceview"
    assert places.runtime == places.home / "run"
    places = find_places({"XDG_DATA_HOME": "/data", "XDG_RUNTIME_DIR": "/run/user/7"})
    assert (places.home, places.runtime) == (Path("/data/traceview"), Path("/run/user/7/traceview"))
    assert places.endpoint == "ipc:///run/user/7/traceview/agent.sock"


def test_without_a_wish_macos_has_its_folder(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    places = find_places({"XDG_RUNTIME_DIR": "/run/user/7"})
    assert places.home == user / "Library" / "Application Support" / "traceview"
    assert places.runtime == places.home / "run"


@pytest.mark.parametrize(
    ("env", "home"),
    [({"LOCALAPPDATA": "/users/u/local"}, "/users/u/local/traceview"), ({}, "AppData/Local/traceview")],
)
def test_without_a_wish_windows_has_its_folder(
    user: Path, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], home: str
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert find_places(env).home == user / home


def test_store_and_endpoint_can_lie_elsewhere(user: Path) -> None:
    places = find_places({"TRACEVIEW_STORE": "~/big.db", "TRACEVIEW_ENDPOINT": "tcp://127.0.0.1:7000"})
    assert places.store == user / "big.db"
    assert places.endpoint == "tcp://127.0.0.1:7000"
    assert places.control.name == "control.sock"


def test_empty_wishes_are_none(user: Path) -> None:
    empty = dict.fromkeys(("TRACEVIEW_HOME", "TRACEVIEW_STORE", "TRACEVIEW_ENDPOINT", "XDG_DATA_HOME"), "")
    assert find_places(empty) == find_places({})


def test_the_process_environment_is_the_default(home: Path) -> None:
    assert find_places().home == home


@pytest.mark.parametrize("length", [60, 90, 91, 92, 93, 94, 95, 120, 300])
def test_a_socket_path_always_fits(length: int) -> None:
    home = Path("/" + "d" * (length - 1))
    places = find_places({"TRACEVIEW_HOME": str(home)})
    for path in (str(places.control), places.endpoint.removeprefix("ipc://")):
        assert len(os.fsencode(path)) < _SUN_PATH
    assert places.control.parent == Path(places.endpoint.removeprefix("ipc://")).parent or length < 95


def test_a_long_home_has_sockets_of_its_own_and_always_the_same() -> None:
    one, other = (find_places({"TRACEVIEW_HOME": "/" + letter * 200}) for letter in "ab")
    assert one.control != other.control
    assert one.control == find_places({"TRACEVIEW_HOME": "/" + "a" * 200}).control
    assert one.control.parent.name.startswith(f"traceview-{os.getuid()}-")
    assert one.agent_file == one.home / "run" / "agent.json"


def test_a_path_is_measured_in_bytes() -> None:
    places = find_places({"TRACEVIEW_HOME": "/" + "ü" * 50})
    assert len(os.fsencode(places.control)) < _SUN_PATH


def test_asking_makes_nothing(tmp_path: Path) -> None:
    find_places({"TRACEVIEW_HOME": str(tmp_path / "new")})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["new", "deep/er/new", "d" * 200])
def test_preparing_makes_private_folders_and_is_safe_twice(tmp_path: Path, name: str) -> None:
    places = find_places({"TRACEVIEW_HOME": str(tmp_path / name)})
    places.prepare()
    places.prepare()
    try:
        for folder in (places.home, places.runtime, places.control.parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        if places.control.parent != places.runtime:
            places.control.parent.rmdir()


def test_a_home_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="file"):
        find_places({"TRACEVIEW_HOME": str(tmp_path / "file")}).prepare()
    with pytest.raises(OSError, match="file"):
        find_places({"TRACEVIEW_HOME": str(tmp_path / "file" / "below")}).prepare()


def test_sockets_are_not_put_into_a_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = find_places({"TRACEVIEW_HOME": str(tmp_path / "home")})
    places.prepare()
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        places.prepare()


def test_where_users_have_no_numbers_their_name_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "getuid")
    monkeypatch.setenv("USERNAME", "ada")
    places = find_places({"TRACEVIEW_HOME": "/" + "a" * 200})
    assert places.control.parent.name.startswith("traceview-ada-")
    find_places({"TRACEVIEW_HOME": str(tmp_path / "new")}).prepare()


def test_a_spool_notes_its_endpoint_unless_it_lies_in_the_home_that_it_is_for(tmp_path: Path) -> None:
    home = {"TRACEVIEW_HOME": str(tmp_path)}
    assert find_places(home).spool_note == ""
    assert find_places({**home, "TRACEVIEW_ENDPOINT": "tcp://there:1"}).spool_note == "tcp://there:1"
    shared = find_places({**home, "TRACEVIEW_SPOOL": str(tmp_path / "shared")})
    assert shared.spool_note == shared.own_endpoint


def test_endpoints_are_the_same_however_their_path_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert is_same(f"ipc://{tmp_path}/real/agent.sock", f"ipc://{tmp_path}/link/agent.sock")
    assert not is_same(f"ipc://{tmp_path}/real/agent.sock", f"ipc://{tmp_path}/other/agent.sock")
    assert is_same("tcp://there:1", "tcp://there:1")
    assert not is_same("tcp://there:1", "tcp://there:2")
    assert not is_same("tcp://there:1", f"ipc://{tmp_path}/agent.sock")
