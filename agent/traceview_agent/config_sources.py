"""Reads the settings: `config.toml` in the home, then the environment, then flags, the later ones winning."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from traceview.redaction import RuleError
from traceview_agent.config import Config, Setting, settings
from traceview_agent.sampling import Policy, RuleMistake

_BY_NAME: Final = {setting.name: setting for setting in settings()}
_SECTIONS: Final = tuple(dict.fromkeys(setting.section for setting in settings()))
_KEY_LINE: Final = re.compile(r"""\s*(?:\[{1,2}\s*(?P<table>[^\[\]]+?)\s*\]|(?P<key>[\w\-."']+)\s*=)""")


class ConfigError(Exception):
    """A setting that can't be used; the message is one line: where it stands, what is wrong, what it may be."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force, and where each that is not the default came from: a place to show, by its name."""

    config: Config
    origins: dict[str, str]


def load(file: Path, environ: Mapping[str, str], flags: Mapping[str, tuple[str, Any]]) -> Loaded:
    """Puts the settings together; `flags` gives flag and value by name of setting. Raises ConfigError."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting, value, origin in (*_in_file(file), *_in_environment(environ), *_in_flags(flags)):
        values[setting.name] = value
        origins[setting.name] = origin
    sections: dict[str, dict[str, Any]] = {section: {} for section in _SECTIONS}
    for name, value in values.items():
        section, _, key = name.partition(".")
        sections[section][key] = value
    config = msgspec.convert(sections, Config)
    try:
        config.redaction.rules()
    except RuleError as error:
        raise ConfigError(f"{origins['redaction.patterns']}: {error}") from error
    try:
        Policy(config.sampling)
    except RuleMistake as error:
        raise ConfigError(f"{_place_of_rule(file, origins['sampling.rules'], error)}: {error}") from error
    return Loaded(config, origins)


def _in_flags(flags: Mapping[str, tuple[str, Any]]) -> Iterator[tuple[Setting, Any, str]]:
    for name, (flag, value) in flags.items():
        yield _BY_NAME[name], _checked(_BY_NAME[name], value, flag, value), flag


def _in_environment(environ: Mapping[str, str]) -> Iterator[tuple[Setting, Any, str]]:
    by_variable = {setting.variable: setting for setting in _BY_NAME.values()}
    prefixes = tuple(f"TRACEVIEW_{section}_".upper() for section in _SECTIONS)
    for variable in sorted(environ):
        setting = by_variable.get(variable)
        if setting is not None and environ[variable]:
            yield setting, _from_text(setting, environ[variable]), variable
        elif setting is None and variable.startswith(prefixes):
            raise ConfigError(f"{variable} is not a setting{_did_you_mean(variable, by_variable)}")


def _from_text(setting: Setting, text: str) -> Any:
    value: Any = text
    if setting.holds is tuple:
        value = [name.strip() for name in text.split(",") if name.strip()]
    elif setting.holds in (dict, list):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            form = "a JSON object" if setting.holds is dict else "a JSON array"
            raise ConfigError(f"{setting.variable} must be {form}, not {text!r}") from None
    elif setting.holds is bool:
        value = text.lower()
    return _checked(setting, value, setting.variable, text, strict=False)


def _in_file(file: Path) -> Iterator[tuple[Setting, Any, str]]:
    try:
        text = file.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    for section, table in document.items():
        where = _place(file, text, section)
        if section not in _SECTIONS:
            raise ConfigError(f"{where}: there is no section {section!r}{_did_you_mean(section, _SECTIONS)}")
        if not isinstance(table, dict):
            raise ConfigError(f"{where}: {section} must be a section: write [{section}] and its settings below")
        for key, value in table.items():
            where = _place(file, text, f"{section}.{key}")
            setting = _BY_NAME.get(f"{section}.{key}")
            if setting is None:
                known = [each.key for each in _BY_NAME.values() if each.section == section]
                raise ConfigError(f"{where}: {section}.{key} is not a setting{_did_you_mean(key, known)}")
            yield setting, _checked(setting, value, f"{where}: {setting.name}", value), where


def _checked(setting: Setting, value: Any, what: str, said: Any, *, strict: bool = True) -> Any:
    try:
        return msgspec.convert(value, setting.type, strict=strict)
    except msgspec.ValidationError:
        raise ConfigError(f"{what} must be {setting.allowed}, not {_shown(said)}") from None


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


def _did_you_mean(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f": did you mean {near[0]}?" if near else f": there are {', '.join(known)}"


def _place(file: Path, text: str, name: str) -> str:
    """The file and, where it can be told, the line that sets `name` (tomllib keeps no lines)."""
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        match = _KEY_LINE.match(line)
        if match is None:
            continue
        if match["table"] is not None:
            table = match["table"]
        here = table if match["key"] is None else f"{table}.{match['key']}".lstrip(".")
        here = here.replace('"', "").replace("'", "").replace(" ", "")
        if here == name or here.startswith(f"{name}."):
            return f"{file}, line {number}"
    return str(file)


def _place_of_rule(file: Path, origin: str, mistake: RuleMistake) -> str:
    """The line of what is wrong with a rule, as far as that can be told; `origin` is where the rules begin."""
    if not origin.startswith(str(file)):
        return origin
    lines: dict[str | None, int] = {}
    inside, rules = False, 0
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        match = _KEY_LINE.match(line)
        if match is None:
            continue
        if match["table"] is not None:
            inside = match["table"] == "sampling.rules"
            rules += inside
        if inside and rules == mistake.number:
            lines.setdefault(match["key"], number)
    found = lines.get(mistake.key) or lines.get(None)
    return f"{file}, line {found}" if found else origin
