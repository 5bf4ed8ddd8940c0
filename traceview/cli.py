"""The command `traceview`: opens the app, or answers one of its verbs without a window.

Exit codes: 0 fine, 1 the answer is no or nothing was found, 2 wrong usage or bad input.
"""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from traceview.protocol.control import AgentError, AgentStatus, ask, ensure_agent
from traceview.protocol.places import Places, find_places
from traceview.reading import Failure, find_trace, open_store

_VERBS = ("list", "show", "search", "import", "export", "screenshot", "demo", "run", "doctor", "spools")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `traceview` with these arguments (sys.argv's by default) and returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in (*_VERBS, "-h", "--help", "--version"):
        return _open_app(arguments)
    parsed = _parser().parse_args(arguments)
    verb: Callable[[argparse.Namespace, Places], int] = parsed.run
    try:
        return verb(parsed, find_places())
    except Failure as failure:
        print(f"traceview: {failure}", file=sys.stderr)
        return failure.code
    except AgentError as error:
        print(f"traceview: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of our output (head, less) is gone; nothing is left to say. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _open_app(arguments: list[str]) -> int:
    """Opens the window; says in one line what is in the way, where Qt would abort."""
    first = arguments[0] if arguments else ""
    if first and not first.startswith("-") and not Path(first).exists() and "." not in first and os.sep not in first:
        near = difflib.get_close_matches(first, _VERBS, 1)
        meant = f"did you mean `traceview {near[0]}`?" if near else "see `traceview --help`"
        print(f"traceview: {first} is neither a file nor a verb: {meant}", file=sys.stderr)
        return 2
    if not _has_display() and "QT_QPA_PLATFORM" not in os.environ:
        print(
            "traceview: there is no display to open a window on; without one: `traceview list`, `show`, `screenshot`",
            file=sys.stderr,
        )
        return 2
    from traceview.app.main import main as open_app

    return open_app(arguments)


def _parser() -> argparse.ArgumentParser:
    from traceview.protocol.version import VERSION

    parser = argparse.ArgumentParser(
        prog="traceview",
        usage="traceview [FILE…]\n       traceview VERB …",
        description="A debugger for AI agents: opens the app, with FILEs beside the live store, or answers a verb.",
    )
    parser.add_argument("--version", action="version", version=f"traceview {VERSION}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, prog="traceview")

    _add_readers(verbs)

    verb = verbs.add_parser("import", help="put trace files into the live store")
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE")
    verb.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verb.set_defaults(run=_import)

    verb = verbs.add_parser("export", help="write traces to a .traceview or OTLP JSON file")
    verb.add_argument("traces", nargs="*", metavar="TRACE", help="ids, prefixes of ids, names, or `latest`")
    verb.add_argument("--all", action="store_true", help="every trace in the store")
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    verb.add_argument("--format", choices=("traceview", "otlp"), help="default: by the file's ending")
    verb.add_argument("--file", type=Path, metavar="FILE", help="read this trace file, not the live store")
    verb.set_defaults(run=_export)

    verb = verbs.add_parser("screenshot", help="render a trace to a PNG, without a display")
    _one_trace(verb)
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    verb.add_argument("--view", choices=("waterfall",), default="waterfall")
    verb.add_argument("--size", type=_size, default=(1600, 1000), metavar="WxH")
    verb.add_argument("--theme", choices=("dark", "light"), default="dark")
    verb.add_argument("--span", metavar="NAME", help="select the first span of this name")
    verb.add_argument("--at-step", type=int, metavar="N", help="replay up to agent step N")
    verb.add_argument("--file", type=Path, metavar="FILE", help="read this trace file, not the live store")
    verb.set_defaults(run=_screenshot)

    verb = verbs.add_parser("demo", help="run a sample AI agent and watch it live")
    verb.add_argument("--pace", type=float, default=1.0, metavar="X", help="1 takes about 28 s, 0.1 a tenth of it")
    verb.add_argument("--no-window", action="store_true", help="don't open the app")
    verb.set_defaults(run=_demo)

    verb = verbs.add_parser("run", help="run a program with tracing switched on: traceview run -- python app.py")
    verb.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    verb.set_defaults(run=_run)

    verb = verbs.add_parser("doctor", help="check everything that traceview needs, and say what to do")
    verb.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verb.set_defaults(run=_doctor)

    verb = verbs.add_parser("spools", help="what programs recorded and no daemon has yet; --ship sends what is left")
    verb.add_argument("--ship", action="store_true", help="send what dead programs left for TRACEVIEW_ENDPOINT")
    verb.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verb.set_defaults(run=_spools)
    return parser


def _reading(verb: argparse.ArgumentParser, run: Callable[[argparse.Namespace, Places], int]) -> None:
    verb.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verb.add_argument("--file", type=Path, metavar="FILE", help="read this trace file, not the live store")
    verb.set_defaults(run=run)


def _add_readers(verbs: Any) -> None:
    """The verbs that answer from a store."""
    verb = verbs.add_parser("list", help="the traces in the store, newest first")
    verb.add_argument("--limit", type=int, default=50, metavar="N", help="at most N traces (default 50, 0 for all)")
    _reading(verb, _list)

    verb = verbs.add_parser("show", help="one trace: its tree of spans, or the state as of a step")
    _one_trace(verb)
    verb.add_argument("--at-step", type=int, metavar="N", help="the state as of agent step N (from 1)")
    _reading(verb, _show)

    verb = verbs.add_parser("search", help="the spans that have all WORDS in their text, newest first")
    verb.add_argument("words", nargs="+", metavar="WORDS", help='words, "a phrase" (quoted for the shell), beginnings*')
    verb.add_argument("--limit", type=_limit, default=50, metavar="N", help="at most N spans (default 50, 0 for all)")
    _reading(verb, _search)


def _one_trace(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("trace", nargs="?", default="latest", metavar="TRACE", help="id, prefix, name, or `latest`")


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of spans: write 0 for all, or 1 and more")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(side) for side in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write it like 1600x1000") from None
    if not (400 <= width <= 8192 and 300 <= height <= 8192):
        raise argparse.ArgumentTypeError(f"{text} is out of range: from 400x300 to 8192x8192")
    return width, height


# Reading


def _list(parsed: argparse.Namespace, places: Places) -> int:
    from traceview.listing import trace_line
    from traceview.report import trace_document

    with open_store(parsed.file, places) as reader:
        traces = reader.traces(limit=parsed.limit or None)
    if parsed.json:
        _print_json([trace_document(trace) for trace in traces])
    else:
        for trace in traces:
            print(trace_line(trace))
    return 0 if traces else 1


def _show(parsed: argparse.Namespace, places: Places) -> int:
    from traceview import report
    from traceview.listing import run_lines

    with open_store(parsed.file, places) as reader:
        trace = find_trace(reader, parsed.trace)
        if parsed.at_step is not None:
            try:
                document = report.step_document(reader, trace, parsed.at_step)
            except IndexError as error:
                raise Failure(str(error), 1) from error
            _print_json(document if parsed.json else document["state"])
        elif parsed.json:
            sys.stdout.buffer.writelines(report.run_pieces(reader, trace, pretty=True))
            sys.stdout.buffer.write(b"\n")
            sys.stdout.buffer.flush()
        else:
            for line in run_lines(trace, reader.spans(trace.trace_id)):
                print(line)
    return 0


def _search(parsed: argparse.Namespace, places: Places) -> int:
    from traceview import search
    from traceview.report import search_document
    from traceview.store import WordsError

    try:
        terms = search.read_terms(parsed.words)
    except WordsError as error:
        raise Failure(str(error)) from error
    with open_store(parsed.file, places) as reader:
        answer = search.find(reader.path, terms, parsed.limit or sys.maxsize)
        notice = None if parsed.file is not None and answer.complete else search.notice(answer, reader.counts().spans)
    if notice is not None:
        print(f"traceview: {notice}", file=sys.stderr)
    if parsed.json:
        _print_json(search_document(answer))
    else:
        for hit in answer.hits:
            print(*search.lines(hit), sep="\n")
    if not answer.complete:
        return 128 + signal.SIGINT
    return 0 if answer.hits else 1


def _print_json(document: object) -> None:
    from traceview.report import to_json

    sys.stdout.buffer.write(to_json(document) + b"\n")
    sys.stdout.buffer.flush()


# Changing


def _import(parsed: argparse.Namespace, places: Places) -> int:
    for file in parsed.files:
        if not file.is_file():
            raise Failure(f"{file}: no such file")
    ensure_agent(places)
    answers = []
    for file in parsed.files:
        try:
            answer = ask(places, "import", timeout=3600.0, path=str(file.absolute()))
        except AgentError as error:
            raise Failure(str(error)) from error
        answers.append({"file": str(file), **answer})
        if not parsed.json:
            print(f"{file}: {answer['spans']} spans, {answer['traces']} traces")
    if parsed.json:
        _print_json(answers)
    return 0


def _export(parsed: argparse.Namespace, places: Places) -> int:
    from traceview.conventions import facts
    from traceview.formats import write_json
    from traceview.store import StoreError, export_store

    form = parsed.format or ("traceview" if parsed.output.suffix == ".traceview" else "otlp")
    if not parsed.traces and not parsed.all:
        raise Failure("say which traces to export: ids, names, `latest`, or --all")
    with open_store(parsed.file, places) as reader:
        chosen = reader.traces() if parsed.all else [find_trace(reader, wanted) for wanted in parsed.traces]
        ids = list(dict.fromkeys(trace.trace_id for trace in chosen))
        try:
            if form == "traceview":
                export_store(reader, ids, parsed.output, facts)
            else:
                # A run may hold anything its program saw: the file is for this user, as a .traceview is.
                with open(parsed.output, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                    write_json((part for trace_id in ids for part in reader.parts(trace_id)), file)
        except (OSError, StoreError) as error:
            raise Failure(f"{parsed.output} can't be written: {error}") from error
    print(f"{parsed.output}: {len(ids)} traces")
    return 0


# Seeing


def _screenshot(parsed: argparse.Namespace, places: Places) -> int:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from traceview.app.main import RenderError, render_trace

    with open_store(parsed.file, places) as reader:
        trace = find_trace(reader, parsed.trace)
        span = next((row.span_id for row in reader.spans(trace.trace_id) if row.name == parsed.span), None)
        if parsed.span is not None and span is None:
            raise Failure(f"{trace.name} has no span named {parsed.span!r}", 1)
        try:
            render_trace(
                reader.path,
                trace.trace_id,
                parsed.output,
                size=parsed.size,
                dark=parsed.theme == "dark",
                span=span,
                step=parsed.at_step,
            )
        except RenderError as error:
            raise Failure(str(error), 1) from error
    print(parsed.output)
    return 0


def _demo(parsed: argparse.Namespace, places: Places) -> int:
    import asyncio

    import traceview as tv
    from traceview.demo import QUESTION, run_support_agent

    ensure_agent(places)
    if not parsed.no_window and _has_display():
        subprocess.Popen([sys.executable, "-P", "-m", "traceview"], start_new_session=True)
    print(f"The customer says: {QUESTION}")
    print(asyncio.run(run_support_agent(parsed.pace)))
    if not tv.flush(timeout=5.0):
        raise Failure("the daemon did not take the run in time: see `traceview-agent status`", 1)
    return 0


def _doctor(parsed: argparse.Namespace, places: Places) -> int:
    from traceview.doctor import run

    return run(places, as_json=parsed.json)


def _spools(parsed: argparse.Namespace, places: Places) -> int:
    from traceview.spools import run

    return run(places, ship=parsed.ship, as_json=parsed.json)


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _run(parsed: argparse.Namespace, places: Places) -> int:
    from traceview.sdk.autorun import environment

    command = parsed.command[1:] if parsed.command[:1] == ["--"] else parsed.command
    if not command:
        raise Failure("say what to run: traceview run -- python my_agent.py")
    port = _otlp_port(ensure_agent(places))
    if port is None:
        print("traceview: OTLP is not received (see `traceview-agent status`): only the SDK's spans", file=sys.stderr)
    return _become(command, environment(dict(os.environ), port))


def _otlp_port(status: AgentStatus) -> int | None:
    for receiver in status.receivers:
        if receiver.name == "otlp-http" and receiver.error is None:
            return int(receiver.address.rpartition(":")[2].strip("/"))
    return None


def _become(command: list[str], environment: dict[str, str]) -> int:
    """Runs the program in our place, so that signals, terminal and exit code are its own."""
    try:
        if os.name == "posix":
            _exec(command, environment)
        return subprocess.run(command, env=environment, check=False).returncode
    except OSError as error:
        raise Failure(f"{command[0]} can't be run: {error.strerror or error}") from error


def _exec(command: list[str], environment: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(command[0], command, environment)  # noqa: S606 - the program the user asked for
