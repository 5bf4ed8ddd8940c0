"""Everything that can be set: each setting with what it may be and what it does, said once (README has the table)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, get_origin

import msgspec
from msgspec import Meta

from traceview.protocol.places import OTLP_HTTP_PORT
from traceview.redaction import DEFAULT_RULES, Rules
from traceview.store import Limits
from traceview_agent.sampling_settings import SamplingSettings

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["logfmt", "json"]

# Less than this holds no useful run, and is soon below what an empty store takes.
_LEAST_BYTES: Final = 16 * 1024 * 1024
_DAY_NS: Final = 86_400 * 10**9


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the daemon runs."""

    otlp_http_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            title="a port from 0 to 65535",
            description="Where OTLP over HTTP listens on loopback; 0 takes any free port.",
        ),
    ] = OTLP_HTTP_PORT
    otlp_grpc_port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        Meta(
            title="a port from 0 to 65535",
            description="Where OTLP over gRPC listens; by default the port below that of OTLP over HTTP.",
        ),
    ] = None
    zeromq_port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        Meta(
            title="a port from 0 to 65535",
            description="Where ZeroMQ listens beyond this machine; by default two ports below OTLP over HTTP.",
        ),
    ] = None
    listen: Annotated[
        str,
        Meta(
            title="an address",
            description="An address of this machine that others reach, to listen there too; `0.0.0.0` for all. "
            "Needs keys: `traceview-agent keys`.",
        ),
    ] = ""
    durability: Annotated[
        Literal["process", "power"],
        Meta(
            title='"process" or "power"',
            description="What an acknowledged span survives: any kill of any process, or loss of power too.",
        ),
    ] = "power"
    log_level: Annotated[
        LogLevel,
        Meta(title='"debug", "info", "warning" or "error"', description="The least that is logged."),
    ] = "info"
    log_format: Annotated[
        LogFormat,
        Meta(title='"logfmt" or "json"', description="A line of the log: `key=value` pairs, or one JSON object."),
    ] = "logfmt"


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where spans are kept."""

    path: Annotated[
        str | None,
        Meta(
            title="the path of a file",
            description="The store's file, for the daemon, the app and `traceview`; relative to the home. "
            "By default `traces.db` in the home.",
        ),
    ] = None


class RedactionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken out of spans before they reach a disk."""

    enabled: Annotated[
        bool,
        Meta(title="true or false", description="Take secrets out at all."),
    ] = True
    emails: Annotated[
        bool,
        Meta(title="true or false", description="Take out e-mail addresses too."),
    ] = False
    patterns: Annotated[
        dict[str, str],
        Meta(
            title="a table of names and regular expressions (text)",
            description="Your own secrets: name = 'regular expression' in RE2's syntax. What matches anywhere "
            "is replaced by `[redacted:name]`. In the environment: a JSON object.",
        ),
    ] = msgspec.field(default_factory=dict)
    keep: Annotated[
        tuple[str, ...],
        Meta(
            title="an array of names (text)",
            description="Names whose values stay although they look like secrets' names, and rules not to use, "
            'such as ["otp", "credit-card"]. In the environment: separated by commas.',
        ),
    ] = ()

    def rules(self) -> Rules | None:
        """What the daemon is to take out, None for nothing. Raises RuleError for a pattern that can't be used."""
        if not self.enabled:
            return None
        rules = replace(DEFAULT_RULES, emails=self.emails, keep_names=frozenset(self.keep))
        return rules.with_patterns(self.patterns)


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept. Whole traces go, those that started first at first; never one that is running."""

    max_age_days: Annotated[
        Annotated[float, Meta(gt=0, le=100_000)] | None,
        Meta(
            title="a number of days above 0, at most 100000",
            description="Forget traces whose last sign of life is older. Without it, none for its age. "
            "A clock that leaps ahead is believed after an hour.",
        ),
    ] = None
    max_bytes: Annotated[
        Annotated[int, Meta(ge=_LEAST_BYTES)] | None,
        Meta(
            title=f"a number of bytes from {_LEAST_BYTES}",
            description="Forget the oldest traces while more than this is in use in the store's file. The file itself "
            "may be a tenth larger, since free room is kept for what comes next.",
        ),
    ] = None
    max_traces: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(title="a number from 1", description="Forget the oldest traces while there are more than this."),
    ] = None

    def limits(self) -> Limits:
        """The same as the store understands it."""
        age_ns = None if self.max_age_days is None else round(self.max_age_days * _DAY_NS)
        return Limits(max_age_ns=age_ns, max_bytes=self.max_bytes, max_traces=self.max_traces)


class SearchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Finding spans by their text."""

    index: Annotated[
        bool,
        Meta(
            title="true or false",
            description="Keep a full-text index beside the store, some 130 bytes for a span of 2.2 kB. Without it "
            "every search reads the whole store.",
        ),
    ] = True


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, by section of `config.toml`."""

    agent: AgentSettings = msgspec.field(default_factory=AgentSettings)
    store: StoreSettings = msgspec.field(default_factory=StoreSettings)
    redaction: RedactionSettings = msgspec.field(default_factory=RedactionSettings)
    retention: RetentionSettings = msgspec.field(default_factory=RetentionSettings)
    sampling: SamplingSettings = msgspec.field(default_factory=SamplingSettings)
    search: SearchSettings = msgspec.field(default_factory=SearchSettings)


# Names that were there before there was a config.
_OWN_NAMES: Final = {"agent.otlp_http_port": "TRACEVIEW_OTLP_PORT", "store.path": "TRACEVIEW_STORE"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name (`section.key`), type, default, what it may be, what it does, its environment variable."""

    section: str
    key: str
    type: Any
    default: Any
    allowed: str
    doc: str

    @property
    def name(self) -> str:
        """`section.key`."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return _OWN_NAMES.get(self.name) or f"TRACEVIEW_{self.section}_{self.key}".upper()

    @property
    def holds(self) -> Any:
        """What kind of value it is: int, bool, tuple, list, dict, or another for text."""
        bare = self.type.__origin__
        return get_origin(bare) or bare


def settings() -> Iterator[Setting]:
    """Every setting there is, in the order of the sections."""
    for section in msgspec.structs.fields(Config):
        for field in msgspec.structs.fields(section.type):
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            (meta,) = field.type.__metadata__
            yield Setting(section.name, field.name, field.type, default, meta.title, meta.description)


def documentation() -> str:
    """The table of all settings in Markdown."""
    lines = ["| setting | environment | may be | default | |", "| --- | --- | --- | --- | --- |"]
    for setting in settings():
        default = "" if setting.default is None else f"`{msgspec.json.encode(setting.default).decode()}`"
        cells = (f"`{setting.name}`", f"`{setting.variable}`", setting.allowed, default, setting.doc)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
