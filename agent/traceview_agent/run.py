"""Runs the daemon in this process until a signal or `traceview-agent stop` ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from typing import Final

from traceview.protocol.places import Places
from traceview_agent.daemon import CannotStart, Daemon
from traceview_agent.notify import notify
from traceview_agent.options import Options

log = logging.getLogger(__name__)

_COLLECT_EVERY: Final = 50_000


def run(places: Places, options: Options) -> int:
    """Serves in the foreground; returns the exit code. Where it can't start, one line on stderr says why."""
    try:
        # The selector loop: ZeroMQ's descriptors can't be watched by Windows' other one.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(_serve(places, options))
    except CannotStart as error:
        print(f"traceview-agent: {error}", file=sys.stderr, flush=True)
        return error.code
    return 0


async def _serve(places: Places, options: Options) -> None:
    daemon = Daemon(places, options)
    _obey_signals(daemon)
    await daemon.start()
    # What is imported lives as long as the process: collections needn't walk it, which took 10 ms and more each time.
    gc.collect()
    gc.freeze()
    # What spans are made of dies as soon as it is committed. By default they would be searched for cycles hundreds of
    # times before that, which takes 5 % of the time.
    gc.set_threshold(_COLLECT_EVERY)
    notify("READY=1")
    await daemon.run()
    log.info("stopped")


def _obey_signals(daemon: Daemon) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(daemon.ask_to_stop))
        else:
            loop.add_signal_handler(number, daemon.ask_to_stop)
