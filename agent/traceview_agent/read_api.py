"""`GET /api/v1/traces`, `/api/v1/traces/{id}` and `/api/v1/search`: what is stored, for scripts of this user.

SQLite is read on threads, on a read-only connection per request: never on the loop, never in the writer's way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from traceview.protocol.records import TraceSummary
from traceview.report import run_pieces, search_document, trace_document
from traceview.store import Place, StoreError, StoreReader, TextSearch
from traceview_agent.http_bodies import Refused
from traceview_agent.http_guard import Guard
from traceview_agent.peers import is_stranger
from traceview_agent.trace_query import BadQuery, Query, SpanQuery, cursor_of, read_query, read_span_query

log = logging.getLogger(__name__)
Asked = TypeVar("Asked")

# More reads at once would only take each other's time, and the receivers'.
_AT_ONCE: Final = 2
# A search that looks through everything in vain takes seconds, and time from the receivers.
_SEARCH_SECONDS: Final = 5.0
_PIECE_BYTES: Final = 1024 * 1024
# A reader who stops reading must not keep the others waiting.
_SEND_SECONDS: Final = 30.0
# Beyond, the tree alone would take hundreds of megabytes of a daemon that has better to do.
MOST_SPANS: Final = 100_000
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ReadApi:
    """Answers from a read-only connection of its own per request."""

    def __init__(self, store: Path, guard: Guard) -> None:
        self._store, self._guard = store, guard
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Takes its paths."""
        router.add_get("/api/v1/traces", self._list)
        router.add_get("/api/v1/traces/{trace_id}", self._show)
        router.add_get("/api/v1/search", self._search)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, read_query, self._page)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, read_span_query, self._found)

    async def _answer(
        self,
        request: web.Request,
        read: Callable[[dict[str, list[str]]], Asked],
        answer: Callable[[Asked], dict[str, Any]],
    ) -> web.StreamResponse:
        try:
            await _check_peer(request, self._guard)
            asked = read({name: request.query.getall(name) for name in request.query})
            async with self._turns:
                document = await asyncio.to_thread(answer, asked)
        except BadQuery as bad:
            return _error(400, str(bad))
        except StoreError as error:
            return _error(503, str(error))
        except Refused as refused:
            return _error(refused.status, str(refused))
        return web.Response(body=msgspec.json.encode(document), content_type="application/json", headers=_HEADERS)

    def _found(self, query: SpanQuery) -> dict[str, Any]:
        deadline = time.monotonic() + _SEARCH_SECONDS
        with contextlib.closing(TextSearch(self._store)) as search:
            answer = search.spans(query.terms, query.limit, lambda _: time.monotonic() > deadline)
        return search_document(answer)

    def _page(self, query: Query) -> dict[str, Any]:
        with contextlib.closing(StoreReader(self._store)) as reader:
            found = reader.page(query.wanted, after=query.after, limit=query.limit + 1)
        page = found[: query.limit]
        more = len(found) > len(page)
        return {
            "traces": [trace_document(trace) for trace in page],
            "next_cursor": cursor_of(Place.of(page[-1])) if more else None,
        }

    async def _show(self, request: web.Request) -> web.StreamResponse:
        text = request.match_info["trace_id"]
        try:
            await _check_peer(request, self._guard)
            async with self._turns:
                return await self._send(request, _trace_id(text))
        except StoreError as error:
            return _error(503, str(error))
        except Refused as refused:
            return _error(refused.status, str(refused))

    async def _send(self, request: web.Request, trace_id: bytes) -> web.StreamResponse:
        """Sends a run piece by piece: it may be larger than memory."""
        run = _Run(self._store, trace_id)
        try:
            piece = await asyncio.to_thread(run.piece)  # before the first one is sent the answer may still be an error
            response = web.StreamResponse(headers={"Content-Type": "application/json", **_HEADERS})
            await response.prepare(request)
            try:
                while piece:
                    await asyncio.wait_for(response.write(piece), _SEND_SECONDS)
                    piece = await asyncio.to_thread(run.piece)
                await response.write_eof()
            except (StoreError, TimeoutError) as error:
                log.warning("trace %s could not be sent to its end: %s", trace_id.hex(), error or "nobody reads it")
                if request.transport is not None:
                    request.transport.abort()  # what is cut off must not look whole
            return response
        finally:
            await asyncio.to_thread(run.close)


class _Run:
    """One run being read; one thread at a time, whichever."""

    def __init__(self, store: Path, trace_id: bytes) -> None:
        self._lock = threading.Lock()
        self._pieces = self._read(store, trace_id)

    def piece(self) -> bytes:
        """What comes next; empty at the end. Raises StoreError or Refused."""
        with self._lock:
            return next(self._pieces, b"")

    def close(self) -> None:
        """Waits for the piece being read, if a request was given up meanwhile, and closes the store."""
        with self._lock:
            self._pieces.close()

    @staticmethod
    def _read(store: Path, trace_id: bytes) -> Generator[bytes, None, None]:
        """The document's bytes in pieces worth sending."""
        with contextlib.closing(StoreReader(store)) as reader:
            buffer = bytearray()
            for piece in run_pieces(reader, _find(reader, trace_id)):
                buffer += piece
                if len(buffer) >= _PIECE_BYTES:
                    yield bytes(buffer)
                    buffer.clear()
            yield bytes(buffer)


async def _check_peer(request: web.Request, guard: Guard) -> None:
    """Other users of this machine reach the loopback too, but what is stored is this user's."""
    if not guard.trusts(request) and await asyncio.to_thread(is_stranger, request.transport):
        raise Refused(403, "forbidden", "what is stored can be read by the user whom the daemon belongs to")


def _trace_id(text: str) -> bytes:
    try:
        trace_id = bytes.fromhex(text)
    except ValueError:
        trace_id = b""
    if len(trace_id) != 16:
        raise Refused(400, "undecodable", f"{text!r} is no trace id: write its 32 hex digits")
    return trace_id


def _find(reader: StoreReader, trace_id: bytes) -> TraceSummary:
    trace = reader.trace(trace_id)
    if trace is None:
        rule = reader.left_out_by(trace_id.hex())
        why = "" if rule is None else f": the sampling rule {rule!r} left it out"
        raise Refused(404, "unsupported", f"there is no trace {trace_id.hex()}{why}")
    if trace.spans > MOST_SPANS:
        message = f"the trace has {trace.spans} spans, more than {MOST_SPANS}: use `traceview export {trace_id.hex()}`"
        raise Refused(413, "too-large", message)
    return trace


def _error(status: int, message: str) -> web.Response:
    body = msgspec.json.encode({"error": message})
    return web.Response(status=status, body=body, content_type="application/json", headers=_HEADERS)
