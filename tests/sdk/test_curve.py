"""Keys for a daemon elsewhere: encrypted or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from traceview.sdk.curve import KeysUnusable, key_options

FAR = "tcp://192.0.2.7:4316"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    for name in ("server", "client"):
        public, secret = (key.decode() for key in zmq.curve_keypair())
        (tmp_path / f"{name}.key").write_text(f'curve\n    public-key = "{public}"\n')
        (tmp_path / f"{name}.key_secret").write_text(f'    public-key = "{public}"\n    secret-key = "{secret}"\n')
    return tmp_path


def test_without_a_servers_key_nothing_is_encrypted() -> None:
    assert key_options(FAR) == []


@pytest.mark.parametrize("how", ["text", "file"])
def test_the_servers_key_may_be_text_or_a_file(keys: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    file = keys / "server.key"
    text = file.read_text().split('"')[1]
    monkeypatch.setenv("TRACEVIEW_SERVER_KEY", text if how == "text" else str(file))
    monkeypatch.setenv("TRACEVIEW_CLIENT_KEY", str(keys / "client.key_secret"))
    options = dict(key_options(FAR))
    assert options[zmq.CURVE_SERVERKEY] == text.encode()
    assert {len(key) for key in options.values()} == {40}
    assert key_options("ipc:///run/agent.sock") == []


@pytest.mark.parametrize(
    ("server", "client", "why"),
    [
        ("x" * 40, "", "TRACEVIEW_CLIENT_KEY must be the path"),
        ("x" * 40, "nowhere", "TRACEVIEW_CLIENT_KEY must be the path"),
        ("x" * 40, "client.key", "with both keys"),
        ("short", "client.key_secret", "TRACEVIEW_SERVER_KEY must be the path"),
        ("x" * 40, "broken", "holds no CurveZMQ key"),
    ],
)
def test_a_key_that_cannot_be_used_never_means_in_clear(
    keys: Path, monkeypatch: pytest.MonkeyPatch, server: str, client: str, why: str
) -> None:
    (keys / "broken").write_text('public-key = "abc"\nsecret-key = "def"\n')
    monkeypatch.setenv("TRACEVIEW_SERVER_KEY", server)
    monkeypatch.setenv("TRACEVIEW_CLIENT_KEY", str(keys / client) if client else "")
    with pytest.raises(KeysUnusable, match=why):
        key_options(FAR)
