"""The command `traceview-agent`: runs the daemon, starts and stops one, says how it is.

Exit codes: 0 fine, 1 the answer is no (none runs, or another does), 2 wrong usage, place or store.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from traceview.protocol.places import OTLP_HTTP_PORT, find_places
from traceview.protocol.version import VERSION


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `traceview-agent` with these arguments (sys.argv's by default) and returns the exit code."""
    parsed = _parser().parse_args(argv)
    if parsed.home:
        os.environ["TRACEVIEW_HOME"] = parsed.home
    places = find_places()
    if parsed.command == "run":
        return _run(parsed)
    from traceview_agent import commands

    if parsed.command == "start":
        return commands.start(places, ["--otlp-port", str(parsed.otlp_port), "--durability", parsed.durability])
    if parsed.command == "stop":
        return commands.stop(places)
    return commands.status(places, as_json=parsed.json)


def _run(parsed: argparse.Namespace) -> int:
    from traceview_agent import limits, logs
    from traceview_agent.daemon import Options
    from traceview_agent.redaction import Redaction
    from traceview_agent.run import run

    limits.raise_limits()
    places = find_places()
    options = Options(otlp_port=parsed.otlp_port, durability=parsed.durability)
    logs.configure(places.log if parsed.detached else None, parsed.verbose, Redaction(options.redaction).line)
    return run(places, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="traceview-agent",
        description="The daemon that receives spans and keeps them: over ZeroMQ from our SDK, and OTLP over HTTP.",
    )
    parser.add_argument("--version", action="version", version=f"traceview-agent {VERSION}")
    parser.add_argument(
        "command",
        nargs="?",
        choices=["run", "start", "stop", "status"],
        default="run",
        help="run stays in the foreground (the default); start runs one in the background",
    )
    parser.add_argument("--json", action="store_true", help="status as one JSON document")
    parser.add_argument("--home", metavar="DIR", help="the folder of everything (default: TRACEVIEW_HOME)")
    parser.add_argument(
        "--otlp-port",
        type=_port,
        metavar="N",
        default=os.environ.get("TRACEVIEW_OTLP_PORT") or str(OTLP_HTTP_PORT),
        help=f"where OTLP over HTTP listens (default: TRACEVIEW_OTLP_PORT, else {OTLP_HTTP_PORT}; 0 = any free port)",
    )
    parser.add_argument(
        "--durability",
        choices=["process", "power"],
        default="process",
        help="what an acknowledgement survives: any kill (process, the default), or power loss too (power)",
    )
    parser.add_argument("--verbose", action="store_true", help="log details as well")
    parser.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)
    return parser


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535 (also read from TRACEVIEW_OTLP_PORT)")
    return port


if __name__ == "__main__":
    sys.exit(main())
