"""One trace as the writer sees it during a transaction: its row, whose sums are carried on exactly, span by span.

The sums count what spans have in their rows, so they can always be made again from these (`tests/store` does, and
compares). Wrappers repeat what the calls below them report. So `llm_calls` counts llm spans without an llm child, and
tokens and cost are those of llm spans without an llm child that reports any; spans of other kinds never count.
"""

from __future__ import annotations

from typing import Any

import msgspec

from traceview.protocol.records import Status, TraceInfo
from traceview.store.encoding import to_json
from traceview.store.merging import merge_info
from traceview.store.spans import Share, SpanState

_RUNNING, _OK, _ERROR, _INTERRUPTED = (int(status) for status in Status)


class TraceState:
    """A trace's row, mutable while a batch is merged.

    Some changes can't be followed without looking at the other spans again (the earliest span became later, the root
    is no longer the root, a model name was corrected, a span with a parent stands in for the root). They set
    `recheck_times`, `recheck_root`, `recheck_models`, `recheck_preview`, and the writer then asks the rows.
    """

    def __init__(self, trace_no: int, trace_id: bytes) -> None:
        self.trace_no = trace_no
        self.trace_id = trace_id
        self.name = ""
        self.fresh = True
        self.touched = False
        self.info: TraceInfo | None = None
        self.start_ns: int | None = None
        self.last_ns = 0
        self.spans = self.errors = self.running = self.interrupted = self.llm_calls = 0
        self.input_tokens = self.output_tokens = self.cost_pico = 0
        self.input_known = self.output_known = self.cost_known = 0
        self.models: set[str] = set()
        self.preview: str | None = None
        self.dropped = 0
        self.root_id: bytes | None = None
        self.root_orphan = False
        self.root_start_ns = 0
        self.root_status = _OK
        self.pinned = False
        self.recheck_times = self.recheck_models = self.recheck_root = self.recheck_preview = False
        # This batch's spans of the trace, those found in the store and those that are new.
        self.members: dict[bytes, SpanState] = {}

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> TraceState:
        """The trace as the store has it; `row` follows TRACE_COLUMNS."""
        state = cls(row[0], row[1])
        state.fresh = False
        (state.name, _, state.start_ns, state.last_ns, state.spans, state.errors, state.running) = row[2:9]
        state.llm_calls = row[9]
        session, user, project, tags, metadata, models = row[10:16]
        state.models = set(msgspec.json.decode(models)) if models else set()
        state.input_tokens, state.output_tokens, state.cost_pico = (value or 0 for value in row[16:19])
        state.preview, state.dropped = row[19:21]
        (said_name, state.interrupted, state.input_known, state.output_known, state.cost_known) = row[22:27]
        state.root_id, orphan, state.root_start_ns, state.root_status = row[27:31]
        state.root_orphan, state.pinned = bool(orphan), bool(row[31])
        state.info = TraceInfo(
            said_name,
            session,
            user,
            project,
            tuple(msgspec.json.decode(tags)) if tags else (),
            msgspec.json.decode(metadata) if metadata else {},
        )
        return state

    def row(self, change: int) -> tuple[Any, ...]:
        """The row to write, in the order of TRACE_COLUMNS."""
        info = self.info or TraceInfo()
        return (
            self.trace_no,
            self.trace_id,
            info.name or self.name,
            self.status(),
            self.start_ns or 0,
            self.last_ns,
            self.spans,
            self.errors,
            self.running,
            self.llm_calls,
            info.session,
            info.user,
            info.project,
            to_json(info.tags).decode() if info.tags else None,
            to_json(info.metadata).decode() if info.metadata else None,
            to_json(sorted(self.models)).decode() if self.models else None,
            self.input_tokens if self.input_known else None,
            self.output_tokens if self.output_known else None,
            self.cost_pico if self.cost_known else None,
            self.preview,
            self.dropped,
            change,
            info.name,
            self.interrupted,
            self.input_known,
            self.output_known,
            self.cost_known,
            self.root_id,
            int(self.root_orphan),
            self.root_start_ns,
            self.root_status,
            int(self.pinned),
        )

    def status(self) -> int:
        """RUNNING while any span runs; else ERROR if the root (without one: any span) failed; else INTERRUPTED if any
        span was; else OK."""
        if self.running:
            return _RUNNING
        if self.root_status == _ERROR or (self.errors and (self.root_orphan or self.root_id is None)):
            return _ERROR
        return _INTERRUPTED if self.interrupted else _OK

    def say(self, info: TraceInfo) -> None:
        """Takes over what a part says of the whole trace."""
        self.info = merge_info(self.info, info)

    def say_news(self, info: TraceInfo | None) -> None:
        """The same of a part that says nothing new of its span: the trace changes only if there is more to it."""
        known = merge_info(TraceInfo(self.name), self.info)
        if merge_info(known, info) != known:
            self.info = merge_info(self.info, info)
            self.touched = True

    def count(self, span: SpanState) -> None:
        """Brings sums, times, models and root up to date with a span that is new or has changed."""
        new, old = span.share(), span.old
        if old is None:
            self.spans += 1
            self._add(new, 1)
        elif old != new:
            self._add(old, -1)
            self._add(new, 1)
        self._follow_times(new, old)
        if new[3] is not None:
            self.models.add(new[3])
        if old is not None and old[3] is not None and old[3] != new[3]:
            self.recheck_models = True
        self._follow_root(span)

    def _add(self, share: Share, sign: int) -> None:
        status, _, _, _, call, input_tokens, output_tokens, cost = share
        if status == _RUNNING:
            self.running += sign
        elif status == _ERROR:
            self.errors += sign
        elif status == _INTERRUPTED:
            self.interrupted += sign
        if call:
            self.llm_calls += sign
        if input_tokens is not None:
            self.input_known += sign
            self.input_tokens += sign * input_tokens
        if output_tokens is not None:
            self.output_known += sign
            self.output_tokens += sign * output_tokens
        if cost is not None:
            self.cost_known += sign
            self.cost_pico += sign * cost

    def _follow_times(self, new: Share, old: Share | None) -> None:
        start, last = new[1], new[2]
        if self.start_ns is None:
            self.start_ns, self.last_ns = start, last
            return
        if start < self.start_ns:
            self.start_ns = start
        elif old is not None and old[1] == self.start_ns and start > old[1]:
            self.recheck_times = True
        if last > self.last_ns:
            self.last_ns = last
        elif old is not None and old[2] == self.last_ns and last < old[2]:
            self.recheck_times = True

    def _follow_root(self, span: SpanState) -> None:
        """The root is the earliest span without a parent; while there is none, the earliest span."""
        orphan = span.parent_id is not None
        key = (orphan, span.start_ns, span.span_id)
        root = self.root_id
        if root is None or key < (self.root_orphan, self.root_start_ns, root):
            if span.old is not None and root != span.span_id:
                self.recheck_root = True
            self.take_root(span.span_id, orphan, span.start_ns, span.status, span.name)
            if span.old is None or span.preview is not None:
                self.preview = span.preview
            self.recheck_preview = orphan
        elif root == span.span_id:
            if key > (self.root_orphan, self.root_start_ns, root):
                self.recheck_root = True
            self.take_root(root, orphan, span.start_ns, span.status, span.name)
            if span.preview is not None:
                self.preview = span.preview
            self.recheck_preview = orphan

    def take_root(self, span_id: bytes, orphan: bool, start_ns: int, status: int, name: str) -> None:
        """Makes a span the root, which gives the trace its name unless a part said one."""
        self.root_id = span_id
        self.root_orphan = orphan
        self.root_start_ns = start_ns
        self.root_status = status
        self.name = name
