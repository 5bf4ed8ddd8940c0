"""What stands behind the window: state, models, and the workers that feed them; made once, stopped in reverse order."""

from __future__ import annotations

from dataclasses import dataclass

from traceview.app.daemon import DaemonWatch
from traceview.app.jobs import Jobs
from traceview.app.models.trace_list import TraceListModel
from traceview.app.navigator import Navigator
from traceview.app.run_payloads import RunPayloads
from traceview.app.settings import Settings
from traceview.app.sources import Sources
from traceview.app.state.filters import Filters
from traceview.app.state.open_run import Source
from traceview.app.state.selection import Selection
from traceview.app.tail import Tail
from traceview.app.text_matches import TextMatches
from traceview.protocol.places import Places


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to the window by its constructor. `close()` is safe twice."""

    places: Places
    settings: Settings
    selection: Selection
    filters: Filters
    model: TraceListModel
    sources: Sources
    tail: Tail
    navigator: Navigator
    daemon: DaemonWatch
    jobs: Jobs
    payloads: RunPayloads
    texts: TextMatches

    def start(self) -> None:
        """Begins to read the store and to ask the daemon."""
        self.tail.start()
        self.daemon.start()

    def close(self) -> None:
        """Stops all workers, the last started first."""
        self.jobs.close()
        self.texts.close()
        self.sources.close()
        self.daemon.close()
        self.tail.close()
        self.payloads.close()


def make_services(
    places: Places, settings: Settings, *, source: Source | None = None, start_daemon: bool = True
) -> Services:
    """Everything for a window that first shows this source (by default the live store)."""
    sources = Sources(places)
    first = source or sources.live
    selection, filters, model = Selection(), Filters(), TraceListModel()
    tail = Tail(first)
    texts = TextMatches(model, first)
    tail.traces_read.connect(texts.look_again)
    navigator = Navigator(tail, first, model, filters, selection)
    navigator.source_changed.connect(texts.show_source)
    daemon = DaemonWatch(places, start_daemon=start_daemon)
    navigator.looked_into.connect(daemon.keep)
    return Services(
        places=places,
        settings=settings,
        selection=selection,
        filters=filters,
        model=model,
        sources=sources,
        tail=tail,
        navigator=navigator,
        daemon=daemon,
        jobs=Jobs(),
        payloads=RunPayloads(),
        texts=texts,
    )
