"""The verb `keep`: a run that someone looks into is not to be sampled out."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from traceview_agent.control_server import Refused
from traceview_agent.intake import Intake, Load, Outcome, Stored

_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


async def keep(intake: Intake, request: dict[str, Any]) -> dict[str, Any]:
    """Obeys the verb: `trace` is the id; answers `{trace}` when it is committed. Raises Refused."""
    trace = request.get("trace")
    if not isinstance(trace, str) or not _TRACE_ID.fullmatch(trace):
        raise Refused("keep wants a trace: the 32 hex digits of its id, in lower case")
    outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def decided(answer: Outcome) -> None:
        if not outcome.done():  # who asked may have gone
            outcome.set_result(answer)

    load = Load([], 0, decided, "a window", receiver="control", keep=frozenset([bytes.fromhex(trace)]))
    if not intake.offer(load):
        raise Refused("the daemon is behind or stops: ask again")
    if not isinstance(await outcome, Stored):
        raise Refused("the daemon stops: ask again")
    return {"trace": trace}
