"""Takes secrets out of all that comes in, before it is queued, written aside or logged."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from traceview.protocol.records import SpanPart
from traceview.protocol.wire import TooDeep, decode_flat, decode_part
from traceview.redaction import DEFAULT_RULES, Alarms, Redactor, Rules, without_values
from traceview.store import ReadyPart, digest, make_ready

log = logging.getLogger(__name__)


_NO_ALARMS: Final = Alarms((), b"")


class Redaction:
    """What every receiver passes its spans through. Without rules it passes everything. Thread-safe."""

    def __init__(self, rules: Rules | None = DEFAULT_RULES) -> None:
        self._redactor = None if rules is None else Redactor(rules)

    @property
    def counts(self) -> dict[str, int]:
        """How many secrets each rule has taken out since the start."""
        return {} if self._redactor is None else self._redactor.counts

    def suspicious(self, raw: bytes | memoryview) -> bool:
        """Whether records may hold a secret, by their bytes in msgpack or protobuf; most hold none, and False is sure.

        JSON may write a secret with escapes: what it holds is searched once it is decoded.
        """
        return self._redactor is not None and self._redactor.suspicious(raw)

    def alarms(self, raw: bytes | memoryview) -> Alarms:
        """The same for every record of a body in one scan."""
        return _NO_ALARMS if self._redactor is None else self._redactor.alarms(raw)

    def parts(self, parts: Iterable[SpanPart]) -> list[SpanPart]:
        """Parts from anywhere, looked at one by one."""
        return [self.part(part) for part in parts]

    def part(self, part: SpanPart, *, alarmed: bool = False) -> SpanPart:
        """The part without secrets. Should we fail at one, its values are given up, not its secrets.

        `alarmed`: there was an alarm for its record.
        """
        if self._redactor is None:
            return part
        try:
            return self._redactor.part(part, alarmed=alarmed)
        except Exception:
            log.exception("a span could not be searched for secrets: it is kept without its values")
            return without_values(part)

    def ready(self, record: memoryview) -> ReadyPart:
        """A record of our protocol as a part without secrets, ready to be stored. Raises WireError.

        By what it is known again depends on the record and its secrets alone, whichever way it came.
        """
        try:
            part = decode_flat(record)
        except TooDeep:
            return self.cleaned(decode_part(record), digest(record))
        if not self.suspicious(record):
            return make_ready(part, record)
        return self.cleaned(part, digest(record))

    def cleaned(self, part: SpanPart, mark: bytes, *, long: bool = False) -> ReadyPart:
        """The same for a part whose record, with this digest, may hold a secret, or can't be read by everybody.

        It is encoded again: a record may hold more than its part, such as a key twice, which nobody has looked at.
        """
        clean = self.part(part, alarmed=True)
        return make_ready(clean, mark=mark if clean is part else None, long=long)

    def resource(self, resource: dict[str, Any]) -> dict[str, Any]:
        """The description of a process, whose command line may hold secrets."""
        return resource if self._redactor is None else self._redactor.values(resource)

    def record(self, record: bytes | memoryview) -> bytes | memoryview | None:
        """A record that can't be read; None if it may hold a secret, which nobody can cut out of what has no shape."""
        return None if self.suspicious(record) else record

    def line(self, text: str) -> str:
        """A line for the log."""
        return text if self._redactor is None else self._redactor.text(text)
