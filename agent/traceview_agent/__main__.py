"""The command `traceview-agent`: runs the daemon, starts and stops one, says how it is.

Exit codes: 0 fine, 1 the answer is no (none runs, or another does), 2 wrong usage, settings, place
or store.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from traceview.protocol.places import OTLP_HTTP_PORT, Places, find_places
from traceview.protocol.version import VERSION
from traceview_agent.config import Config
from traceview_agent.config_sources import ConfigError, load

_FLAGS = {
    "agent.otlp_http_port": "--otlp-port",
    "agent.durability": "--durability",
    "agent.log_level": "--verbose",
    "agent.listen": "--listen",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `traceview-agent` with these arguments (sys.argv's by default) and returns the exit code."""
    try:
        return _main(argv)
    except BrokenPipeError:
        # Who read our output (head, less) is gone; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _main(argv: Sequence[str] | None) -> int:
    parsed = _parser().parse_args(argv)
    if parsed.home:
        os.environ["TRACEVIEW_HOME"] = parsed.home
    places = find_places()
    from traceview_agent import commands

    if parsed.command == "stop":
        return commands.stop(places)
    if parsed.command == "status":
        return commands.status(places, as_json=parsed.json, verbose=parsed.verbose)
    if parsed.command == "keys":
        from traceview_agent.keys_command import keys

        return keys(places, parsed.client)
    if parsed.command == "uninstall":
        from traceview_agent import service

        return service.uninstall(places)
    try:
        loaded = load(places.config, os.environ, _flags(parsed))
    except ConfigError as error:
        print(f"traceview-agent: {error}", file=sys.stderr, flush=True)
        return 2
    if parsed.command == "start":
        return commands.start(places, _arguments(parsed))
    if parsed.command == "install":
        from traceview_agent import service

        return service.install(places, _arguments(parsed))
    if parsed.command == "config":
        return commands.config(places, loaded, as_json=parsed.json)
    return _run(places, loaded.config, detached=parsed.detached)


def _run(places: Places, config: Config, *, detached: bool) -> int:
    from traceview_agent import limits, logs
    from traceview_agent.options import Options
    from traceview_agent.redaction import Redaction
    from traceview_agent.run import run
    from traceview_agent.sampling import Policy

    limits.raise_limits()
    agent = config.agent
    options = Options(
        otlp_port=agent.otlp_http_port,
        otlp_grpc_port=agent.otlp_grpc_port,
        zeromq_port=agent.zeromq_port,
        listen=agent.listen,
        durability=agent.durability,
        redaction=config.redaction.rules(),
        limits=config.retention.limits(),
        sampling=Policy(config.sampling),
        index_text=config.search.index,
    )
    clean = Redaction(options.redaction).line
    logs.configure(places.log if detached else None, clean, level=agent.log_level, form=agent.log_format)
    return run(places, options)


def _flags(parsed: argparse.Namespace) -> dict[str, tuple[str, Any]]:
    """The settings given on the command line, and by which flag."""
    given = (parsed.otlp_port, parsed.durability, "debug" if parsed.verbose else None, parsed.listen)
    return {name: (flag, value) for (name, flag), value in zip(_FLAGS.items(), given, strict=True) if value is not None}


def _arguments(parsed: argparse.Namespace) -> list[str]:
    """The same settings for a daemon in the background; config.toml and the environment it reads itself."""
    arguments = ["--verbose"] if parsed.verbose else []
    if parsed.otlp_port is not None:
        arguments += ["--otlp-port", str(parsed.otlp_port)]
    if parsed.listen is not None:
        arguments += ["--listen", parsed.listen]
    return arguments + (["--durability", parsed.durability] if parsed.durability else [])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="traceview-agent",
        description="The daemon that receives spans and keeps them: over ZeroMQ from our SDK, and OTLP over HTTP.",
        epilog="Flags win over the environment, that over config.toml in the home: see `traceview-agent config`.",
    )
    parser.add_argument("--version", action="version", version=f"traceview-agent {VERSION}")
    parser.add_argument(
        "command",
        nargs="?",
        choices=["run", "start", "stop", "status", "config", "keys", "install", "uninstall"],
        default="run",
        help="run stays in the foreground (the default); start runs one in the background; "
        "config shows the settings in force; keys makes keys for other machines; "
        "install has the system start it at login, uninstall no longer",
    )
    parser.add_argument("--json", action="store_true", help="status or config as one JSON document")
    parser.add_argument("--home", metavar="DIR", help="the folder of everything (default: TRACEVIEW_HOME)")
    parser.add_argument(
        "--otlp-port",
        type=_port,
        metavar="N",
        help=f"where OTLP over HTTP listens (default: TRACEVIEW_OTLP_PORT, else {OTLP_HTTP_PORT}; 0 = any free port)",
    )
    parser.add_argument(
        "--durability",
        choices=["process", "power"],
        help="what an acknowledgement survives: any kill (process, the default), or power loss too (power)",
    )
    parser.add_argument(
        "--listen",
        metavar="ADDRESS",
        help="listen there too, where other machines reach it: needs keys (see `traceview-agent keys`)",
    )
    parser.add_argument("--client", metavar="NAME", default="client", help="whose keys `keys` makes (default: client)")
    parser.add_argument("--verbose", action="store_true", help="log details as well; with status: what is absent too")
    parser.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)
    return parser


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return port


if __name__ == "__main__":
    sys.exit(main())
