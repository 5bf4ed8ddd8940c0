"""Stretches of a run in which nothing happens and nothing runs: a human thinks, a queue waits."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from traceview.analysis.moments import CLOSES_LEAF, OPENS_LEAF, Moments

Gap = tuple[int, int]


def idle_gaps(moments: Moments, least_ns: int) -> list[Gap]:
    """The gaps of at least this length, as (start, end) in ns, in order.

    In a gap no moment lies and no span without children is open. O(length of the run / least_ns · log n).
    """
    times = moments.times
    if len(times) < 2 or least_ns < 2:
        return []
    opens, closes = moments.marked(OPENS_LEAF), moments.marked(CLOSES_LEAF)
    found: list[Gap] = []
    # A gap of that length holds the whole of at least one cell half as long.
    cell = least_ns // 2
    edge = times[0]
    while edge + cell <= times[-1]:
        after = bisect_left(times, edge + cell)
        before = bisect_right(times, edge) - 1
        start, end = times[before], times[after]
        if before + 1 == after and end - start >= least_ns:
            running = opens.count(1, 0, after) - closes.count(1, 0, after)
            if not running:
                found.append((start, end))
        edge = max(edge + cell, end) if before + 1 == after else edge + cell
    return found
