"""No question the app asks all the time makes SQLite walk through a table: each finds its rows by an index."""

from __future__ import annotations

import msgspec
import pytest

from traceview.protocol.records import Event, SpanPart
from traceview.store import Limits, Sampling, Verdict
from traceview.testing import build_trace

BUILT = build_trace("a > (b:llm > c:llm, d~)")
TALK = [{"role": "user", "content": str(number) * 400} for number in range(200)]
LONG = SpanPart(BUILT.trace_id, BUILT.parts[0].span_id, input=TALK)
STATE = SpanPart(BUILT.trace_id, BUILT.parts[0].span_id, events=(Event(1, "traceview.state", {"x": 1}),))


def plans_of(connection, work) -> dict[str, str]:
    """The plan of every SELECT that the work runs."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    work()
    connection.set_trace_callback(None)
    found = {}
    for statement in statements:
        if statement.startswith("SELECT"):
            rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            found[statement] = "; ".join(row[3] for row in rows)
    assert found
    return found


@pytest.mark.parametrize(
    ("ask", "uses"),
    [
        (lambda r: r.traces(changed_after=3), "trace_by_change (change>?)"),
        (lambda r: r.traces(changed_after=3, limit=10), "trace_by_change (change>?)"),
        (lambda r: r.trace(BUILT.trace_id), "(trace_id=?)"),
        (lambda r: r.spans(BUILT.trace_id), "PRIMARY KEY (trace_no=?)"),
        (lambda r: r.spans(BUILT.trace_id, changed_after=1), "span_by_change (trace_no=? AND change>?)"),
        (lambda r: r.events(BUILT.trace_id, changed_after=1), "PRIMARY KEY (trace_no=? AND change>?)"),
        (lambda r: r.payload(BUILT.trace_id, b"12345678"), "PRIMARY KEY (trace_no=? AND span_id=?)"),
        (lambda r: r.state_events(BUILT.trace_id), "PRIMARY KEY (trace_no=? AND span_id=?)"),
        (lambda r: r.head(), "PRIMARY KEY (key=?)"),
        (lambda r: r.left_out_after(3), "INTEGER PRIMARY KEY (rowid>?)"),
        (lambda r: r.left_out_by("ab"), "(trace_id>? AND trace_id<?)"),
    ],
)
def test_readers_search(store, ask, uses):
    store.apply(*BUILT.parts, STATE)
    reader = store.reader()
    plans = plans_of(reader._connection, lambda: ask(reader))
    assert not any("SCAN" in plan for plan in plans.values()), plans
    assert any(uses in plan for plan in plans.values()), plans


def test_the_newest_traces_are_read_in_order_without_sorting(store):
    store.apply(*BUILT.parts)
    reader = store.reader()
    (plan,) = plans_of(reader._connection, lambda: reader.traces(limit=100)).values()
    assert plan == "SCAN trace USING INDEX trace_by_start"


def test_the_writer_searches(store):
    store.apply(*BUILT.parts, session=b"s", seq=1)
    writer = store.writer

    def work() -> None:
        store.apply(*BUILT.parts[::-1], STATE, session=b"s", seq=2)
        store.apply(LONG, session=b"s", seq=3)
        writer.interrupt(b"s")
        store.apply(session=b"s", seq=4)
        writer.last_seq(b"s")

    plans = plans_of(writer._connection, work)
    walked = {statement for statement, plan in plans.items() if "SCAN" in plan}
    assert walked == {"SELECT key, value FROM meta"} & walked
    assert any("span_llm (trace_no=? AND parent_id=?)" in plan for plan in plans.values())
    assert any("PRIMARY KEY (trace_no=? AND digest=?)" in plan for plan in plans.values())
    assert any("span_open (source_no=?)" in plan for plan in plans.values())
    (plan,) = plans_of(writer._connection, writer.open_sessions).values()
    assert "span_open (source_no=?)" in plan


def test_sampling_searches(store):
    def judge(trace, earlier, has_kind):
        return Verdict("tools" if has_kind("tool") else "all", 1, 0)

    def work() -> None:
        store.writer.pin([bytes(16)])
        while store.writer.tidy(Limits(), Sampling(judge, 2**62, 2**62)):
            pass

    work()
    store.apply(*BUILT.parts[:3], STATE)
    store.apply(msgspec.structs.replace(BUILT.parts[3], end_ns=BUILT.parts[3].start_ns))
    plans = plans_of(store.writer._connection, work)
    assert not store.reader().traces()
    walked = {statement for statement, plan in plans.items() if "SCAN" in plan.replace("SCAN (subquery", "")}
    assert walked == {"SELECT key, value FROM meta"} & walked
    assert any("trace_by_change (change>? AND change<?)" in plan for plan in plans.values()), plans
    assert not any("TEMP B-TREE" in plan for plan in plans.values()), plans
    store.apply(*BUILT.parts)
    plans = plans_of(store.writer._connection, lambda: store.apply(build_trace("b", trace="b").parts[0]))
    assert any(plan.startswith("SEARCH decision") and "(trace_id=?)" in plan for plan in plans.values())
