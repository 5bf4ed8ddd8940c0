"""What the daemon remembers of the programs that speak to it: who they are, and which batches are under way."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from traceview.protocol.wire import Batch, Left

# A program that was silent while this many others spoke is forgotten; it only loses its resource until the next Hello.
_REMEMBERED: Final = 4096


@dataclass(slots=True)
class Session:
    """One start of one program. `pending` batches are queued; all up to `committed` are stored, as far as known.

    While a long one is `decoding` on a thread, those after it wait in `behind`, each with its body. Once one was
    `refused`, those after it count for nothing until it has come again: else they would look as if it never came.
    `latest_ns` is the latest time in what was left by a program that is gone.
    """

    identity: bytes
    resource: dict[str, Any] = field(default_factory=dict)
    refusal: str | None = None
    committed: int = 0
    pending: set[int] = field(default_factory=set)
    refused: int | None = None
    decoding: bool = False
    behind: list[tuple[Batch | Left, memoryview]] = field(default_factory=list)
    latest_ns: int = 0


class Sessions:
    """The sessions heard of lately. Nothing is marked when one falls silent: here is where that would be noticed."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._remembered = remembered

    def heard(self, session: bytes, identity: bytes) -> Session:
        """The session, which now answers to this ZeroMQ identity."""
        known = self._sessions.get(session)
        if known is None:
            known = self._sessions[session] = Session(identity)
            self._forget()
        known.identity = identity
        self._sessions.move_to_end(session)
        return known

    def _forget(self) -> None:
        for key in list(self._sessions)[: max(0, len(self._sessions) - self._remembered)]:
            if not self._sessions[key].pending:
                del self._sessions[key]
