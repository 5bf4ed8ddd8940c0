"""Settings: every one documented, the later source wins, and a mistake is one line that says where and what instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from traceview.protocol.places import find_places
from traceview.redaction import Redactor
from traceview.store import Limits
from traceview_agent.__main__ import main
from traceview_agent.config import Config, documentation, settings
from traceview_agent.config_sources import ConfigError, Loaded, load

README = Path(__file__).resolve().parents[2] / "agent" / "README.md"
EVERYTHING = """
store.path = "elsewhere.db"
[agent]
otlp_http_port = 0
otlp_grpc_port = 4327
zeromq_port = 4326
listen = "0.0.0.0"
durability = "power"
log_level = "debug"
log_format = "json"

[redaction]
enabled = true
emails = true
keep = ["otp", "credit-card"]

[redaction.patterns]
badge = 'B-[0-9]{6}'

[retention]
max_age_days = 0.5
max_bytes = 1_000_000_000
max_traces = 1000

[sampling]
ratio = 0.1
traces_per_second = 5
keep_errors = false
keep_slower_than = "5s"
settle = "1m"

[[sampling.rules]]
name = "checkout*"
keep = 1.0

[[sampling.rules]]
kind = "embedding"
slower_than = "200ms"
keep = 0
"""


RULES = "[sampling]\nratio = 0.1\nkeep_errors = true\n\n[[sampling.rules]]\nname = 'a'\nkeep = 1\n"


def reading(text: str, **environ: str) -> Loaded:
    file = find_places().config
    file.write_text(text)
    return load(file, environ, {})


def test_without_any_source_all_is_default(tmp_path: Path) -> None:
    assert load(tmp_path / "config.toml", {"TRACEVIEW_HOME": "/x"}, {}) == Loaded(Config(), {})


def test_every_setting_can_be_set_in_the_file() -> None:
    loaded = reading(EVERYTHING)
    assert len(loaded.origins) >= 9
    config = loaded.config
    assert (config.agent.otlp_http_port, config.agent.durability) == (0, "power")
    assert (config.agent.otlp_grpc_port, config.agent.zeromq_port, config.agent.listen) == (4327, 4326, "0.0.0.0")
    assert (config.agent.log_level, config.agent.log_format) == ("debug", "json")
    assert config.store.path == "elsewhere.db"
    assert (config.redaction.emails, config.redaction.keep) == (True, ("otp", "credit-card"))
    assert config.redaction.patterns == {"badge": "B-[0-9]{6}"}
    assert config.retention.limits() == Limits(max_age_ns=43_200 * 10**9, max_bytes=10**9, max_traces=1000)
    sampling = config.sampling
    assert (sampling.ratio, sampling.traces_per_second, sampling.keep_errors) == (0.1, 5, False)
    assert (sampling.keep_slower_than, sampling.settle) == ("5s", "1m")
    assert sampling.rules[1] == {"kind": "embedding", "slower_than": "200ms", "keep": 0}


def test_every_setting_can_be_set_by_its_variable() -> None:
    texts: dict[Any, str] = {int: "1", bool: "True", tuple: "a, b", dict: '{"a": "b"}', list: '[{"keep": 1}]'}
    choices = {"agent.durability": "power", "agent.log_level": "debug", "agent.log_format": "json"}
    choices |= {"agent.otlp_grpc_port": "4317", "agent.zeromq_port": "4316", "agent.listen": "0.0.0.0"}
    choices |= {"sampling.ratio": "0.5", "sampling.traces_per_second": "2"}
    choices |= {"sampling.keep_slower_than": "5s", "sampling.settle": "1s"}
    choices |= {"retention.max_age_days": "30", "retention.max_bytes": "100000000", "retention.max_traces": "5"}
    environ = {each.variable: choices.get(each.name) or texts.get(each.holds, "text") for each in settings()}
    loaded = reading("", **environ)
    assert loaded.origins == {each.name: each.variable for each in settings()}
    assert loaded.config.redaction.keep == ("a", "b")
    assert loaded.config.retention.max_age_days == 30
    assert loaded.config.redaction.patterns == {"a": "b"}
    assert loaded.config.sampling.rules == [{"keep": 1}]


def test_flags_win_over_the_environment_which_wins_over_the_file() -> None:
    file = find_places().config
    file.write_text('[agent]\notlp_http_port = 1\ndurability = "power"\nlog_level = "error"\n')
    environ = {"TRACEVIEW_OTLP_PORT": "2", "TRACEVIEW_AGENT_DURABILITY": "process", "TRACEVIEW_AGENT_LOG_LEVEL": ""}
    loaded = load(file, environ, {"agent.otlp_http_port": ("--otlp-port", 3)})
    agent = loaded.config.agent
    assert (agent.otlp_http_port, agent.durability, agent.log_level) == (3, "process", "error")
    assert loaded.origins == {
        "agent.otlp_http_port": "--otlp-port",
        "agent.durability": "TRACEVIEW_AGENT_DURABILITY",
        "agent.log_level": f"{file}, line 4",
    }


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[agent]\ndurabilty = "power"', 2, "agent.durabilty is not a setting: did you mean durability?"),
        ("[agents]\n", 1, "there is no section 'agents': did you mean agent?"),
        ("xyz = 1", 1, "there is no section 'xyz': there are agent, store, redaction, retention, sampling"),
        ("[store]\nqqqq = 1", 2, "store.qqqq is not a setting: there are path"),
        ("agent = 1", 1, "agent must be a section: write [agent] and its settings below"),
        (
            "# a port\n[agent]\n otlp_http_port = 70000",
            3,
            "agent.otlp_http_port must be a port from 0 to 65535, not 70",
        ),
        ("agent.otlp_http_port = true", 1, "agent.otlp_http_port must be a port from 0 to 65535, not true"),
        ('[agent]\nlog_level = "loud"', 2, 'agent.log_level must be "debug", "info", "warning" or "error", not "loud"'),
        ("[redaction]\nemails = 'yes'", 2, 'redaction.emails must be true or false, not "yes"'),
        ("[redaction]\nkeep = 'otp'", 2, 'redaction.keep must be an array of names (text), not "otp"'),
        ("[retention]\nmax_bytes = 1", 2, "retention.max_bytes must be a number of bytes from 16777216, not 1"),
        ("[retention]\nmax_age_days = inf", 2, "retention.max_age_days must be a number of days above 0"),
        ("[retention]\nmax_traces = 0", 2, "retention.max_traces must be a number from 1, not 0"),
        ("[sampling]\nratio = 1.5", 2, "sampling.ratio must be a ratio from 0 to 1, not 1.5"),
        ("[sampling]\nratoi = 1", 2, "sampling.ratoi is not a setting: did you mean ratio?"),
        (
            "[sampling]\ntraces_per_second = 0",
            2,
            "sampling.traces_per_second must be a number above 0, at most",
        ),
        ("[sampling]\nsettle = '5'", 2, 'sampling.settle must be a length of time such as "5s" or "200ms", not'),
        ("[sampling]\nrules = 1", 2, "sampling.rules must be an array of tables, not 1"),
        ("[sampling]\nrules = [{nmae = 'a'}]", 2, "sampling.rules, rule 1: nmae is no condition: did you mean name?"),
        (f"{RULES}[[sampling.rules]]\nname = 'b'\n", 8, "sampling.rules, rule 2 says no keep: how much of such"),
        (f"{RULES}[[ sampling.rules ]]\n\nkepe = 1\n", 10, "sampling.rules, rule 2: kepe is no condition: did you"),
        (f"{RULES}[[sampling.rules]]\nkeep = 2\n[store]\n", 9, "sampling.rules, rule 2: keep must be a ratio from"),
        ("[redaction.patterns]\na = 1", 1, "redaction.patterns must be a table of names and regular expressions"),
        ("[redaction]\n'patterns'.a = '('", 2, "redaction pattern 'a' is not a regular expression"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_its_place(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        reading(text)
    assert str(error.value).startswith(f"{find_places().config}, line {line}: {said}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("TRACEVIEW_OTLP_PORT", "x", 'TRACEVIEW_OTLP_PORT must be a port from 0 to 65535, not "x"'),
        ("TRACEVIEW_OTLP_PORT", "65536", 'TRACEVIEW_OTLP_PORT must be a port from 0 to 65535, not "65536"'),
        ("TRACEVIEW_REDACTION_ENABLED", "no", 'TRACEVIEW_REDACTION_ENABLED must be true or false, not "no"'),
        ("TRACEVIEW_REDACTION_PATTERNS", "{", "TRACEVIEW_REDACTION_PATTERNS must be a JSON object, not '{'"),
        ("TRACEVIEW_REDACTION_PATTERNS", '{"a": "("}', "TRACEVIEW_REDACTION_PATTERNS: redaction pattern 'a' is not"),
        ("TRACEVIEW_SAMPLING_RULES", "[", "TRACEVIEW_SAMPLING_RULES must be a JSON array, not '['"),
        ("TRACEVIEW_SAMPLING_RULES", '["a"]', "TRACEVIEW_SAMPLING_RULES must be an array of tables, not"),
        ("TRACEVIEW_SAMPLING_RULES", '[{"keep": "x"}]', "TRACEVIEW_SAMPLING_RULES: sampling.rules, rule 1: keep must"),
        ("TRACEVIEW_REDACTION_EMAIL", "1", "TRACEVIEW_REDACTION_EMAIL is not a setting: did you mean TRACEVIEW_REDAC"),
    ],
)
def test_a_mistake_in_the_environment_is_one_line_with_its_name(variable: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        reading("", **{variable: text})
    assert str(error.value).startswith(said)


def test_a_place_that_cannot_be_told_is_left_out() -> None:
    with pytest.raises(ConfigError) as error:
        reading("[agent]\n\"log\\u005flevel\" = 'loud'\n")
    assert str(error.value).startswith(f"{find_places().config}: agent.log_level must be")


def test_long_values_are_not_told_in_full() -> None:
    with pytest.raises(ConfigError) as error:
        reading(f"[agent]\nlog_level = '{'x' * 10_000}'")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("content", [b"[agent\n", b"\xff\xfe", b"a = " + b"[" * 10_000])
def test_a_file_that_is_no_toml_stops_everything_with_code_2(
    content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    places = find_places()
    places.config.write_bytes(content)
    for verb in ("run", "start", "config"):
        assert main([verb]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"traceview-agent: {places.config} is not TOML: ")
        assert said.count("\n") == 1
    assert not places.store.exists()
    assert main(["status"]) == 1  # asking and stopping need no settings
    assert main(["stop"]) == 1
    assert find_places() == places


def test_a_file_that_cannot_be_read_is_told(home: Path) -> None:
    (home / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="can't be read"):
        load(home / "config.toml", {}, {})


def test_redaction_obeys() -> None:
    rules = reading(EVERYTHING).config.redaction.rules()
    assert rules is not None
    text = Redactor(rules).text("B-123456 a@example.org 4111 1111 1111 1111")
    assert text == "[redacted:badge] [redacted:e-mail] 4111 1111 1111 1111"
    assert reading("[redaction]\nenabled = false").config.redaction.rules() is None


def test_the_settings_in_force_are_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACEVIEW_OTLP_PORT", raising=False)
    places = find_places()
    places.config.write_text('[store]\npath = "mine.db"\n')
    assert main(["config", "--durability", "power", "--verbose"]) == 0
    lines = {line.split()[0]: line.split(maxsplit=2)[1:] for line in capsys.readouterr().out.splitlines()}
    assert lines["agent.durability"] == ['"power"', "--durability"]
    assert lines["agent.log_level"] == ['"debug"', "--verbose"]
    assert lines["agent.otlp_http_port"] == ["4318", "default"]
    assert main(["config", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["file"] == str(places.config)
    assert list(document["settings"]) == [each.name for each in settings()]
    mine = {"value": str(places.home / "mine.db"), "from": f"{places.config}, line 2"}
    assert document["settings"]["store.path"] == mine


def test_the_daemon_obeys_the_file(
    start_daemon: Any, program: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    places = find_places()
    places.config.write_text(f"[store]\npath = '{tmp_path}/mine.db'\n[agent]\notlp_http_port = 0\nlog_format = 'json'")
    assert main(["start"]) == 0
    assert program.hello()
    assert main(["stop"]) == 0
    assert (tmp_path / "mine.db").exists()
    assert not places.store.exists()
    first = json.loads(places.log.read_text().splitlines()[0])
    assert (first["level"], first["from"]) == ("info", "daemon")


def test_every_setting_is_documented_in_the_manual() -> None:
    assert documentation() in README.read_text(encoding="utf-8"), "put this table there:\n" + documentation()
