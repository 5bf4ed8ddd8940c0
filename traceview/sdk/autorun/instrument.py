"""Inside the traced program: brings its OpenTelemetry spans to the daemon and switches on its instrumentations.

The program keeps the last word. A provider that it sets up itself is used as it is, with our exporter added; only where
it sets up none do its tracers get one of ours. No error of this file reaches the program; TRACEVIEW_DEBUG=1 shows them.

Loaded from its path by `sitecustomize`, in whatever Python runs the program: it imports nothing of traceview.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
import threading
import warnings
from typing import Any

_SCHEDULE_MS = 100
_TIMEOUT_SECONDS = 2
_GROUPS = ("opentelemetry_instrumentor", "openinference_instrumentor")
_told: set[str] = set()


def start(endpoint: str) -> None:
    """Sets everything up, if the program's environment has opentelemetry-sdk and its OTLP/HTTP exporter."""
    if not _installed("opentelemetry.sdk.trace") or not _installed("opentelemetry.exporter.otlp.proto.http"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exporting = Exporting(endpoint.rstrip("/") + "/v1/traces")
        exporting.adopt_new_providers()
        exporting.stand_in_for_no_provider()
        activate_instrumentations()


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def _debug(what: str, error: object) -> None:
    if os.environ.get("TRACEVIEW_DEBUG") and what not in _told:
        _told.add(what)
        sys.stderr.write(f"traceview: {what}: {error}\n")


class Exporting:
    """Our exporter, added to every SDK provider that comes to be."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._fallback: Any = None
        self._making = threading.Lock()

    def adopt_new_providers(self) -> None:
        """Adds our span processor to each `TracerProvider` of the SDK as it is made."""
        from opentelemetry.sdk.trace import TracerProvider

        make, add = TracerProvider.__init__, TracerProvider.add_span_processor
        exporting = self

        def made(self: Any, *args: Any, **kwargs: Any) -> None:
            make(self, *args, **kwargs)
            try:
                self._traceview_processor = exporting.processor()
                add(self, self._traceview_processor)
            except Exception as error:
                _debug("spans can't be exported", error)

        def added(self: Any, span_processor: Any) -> None:
            add(self, span_processor)
            ours = getattr(self, "_traceview_processor", None)
            if ours is not None and exporting.is_told_by(span_processor):
                ours.redundant = True

        TracerProvider.__init__ = made  # type: ignore[method-assign]
        TracerProvider.add_span_processor = added  # type: ignore[method-assign]

    def processor(self) -> Any:
        """A batch processor that sends to the daemon, quietly."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        class Processor(BatchSpanProcessor):
            # Set when the program itself sends this provider's spans to the same place.
            redundant = False

            def on_end(self, span: Any) -> None:
                if not self.redundant:
                    super().on_end(span)

        exporter = OTLPSpanExporter(endpoint=self.url, timeout=_TIMEOUT_SECONDS, session=_session())
        return Processor(_quiet(exporter), schedule_delay_millis=_SCHEDULE_MS)

    def is_told_by(self, processor: Any) -> bool:
        """Whether a processor of the program exports to where ours does."""
        exporter = getattr(processor, "span_exporter", None)
        exporter = exporter or getattr(getattr(processor, "_batch_processor", None), "_exporter", None)
        return str(getattr(exporter, "_endpoint", "")).replace("//localhost:", "//127.0.0.1:") == self.url

    def stand_in_for_no_provider(self) -> None:
        """Gives tracers a provider of ours for as long as the program has set none.

        `set_tracer_provider` can be called only once; a program that calls it must find that nobody has. So ours is
        never set: it stands behind the proxies that OpenTelemetry hands out until then.
        """
        from opentelemetry.trace import NoOpTracer, ProxyTracer

        resolve = ProxyTracer._tracer.fget  # type: ignore[attr-defined]

        def tracer(proxy: Any) -> Any:
            found = resolve(proxy)
            if not isinstance(found, NoOpTracer):
                return found
            try:
                return self._tracer_for(proxy)
            except Exception as error:
                _debug("no tracer could be made", error)
                return found

        ProxyTracer._tracer = property(tracer)  # type: ignore[assignment]

    def _tracer_for(self, proxy: Any) -> Any:
        made = getattr(proxy, "_traceview_tracer", None)
        if made is None:
            made = proxy._traceview_tracer = self._provider().get_tracer(
                proxy._instrumenting_module_name,
                proxy._instrumenting_library_version,
                getattr(proxy, "_schema_url", None),
            )
        return made

    def _provider(self) -> Any:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        with self._making:
            if self._fallback is None:
                name = os.environ.get("OTEL_SERVICE_NAME") or _script()
                self._fallback = TracerProvider(resource=Resource.create({"service.name": name}))
            return self._fallback


def _script() -> str:
    name = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    return (name[:-3] if name.endswith(".py") else name) or "python"


def _session() -> Any:
    import requests

    session = requests.Session()
    session.trust_env = False  # a proxy of the environment must not get what goes to this machine
    return session


def _quiet(exporter: Any) -> Any:
    """The exporter, whose complaints (the daemon was stopped) stay out of the program's log."""
    import logging

    exporting = threading.local()
    export = exporter.export

    def allowed(record: logging.LogRecord) -> bool:
        return not getattr(exporting, "now", False)

    for name in ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.exporter.otlp.proto.http"):
        logging.getLogger(name).addFilter(allowed)

    def quietly(spans: Any) -> Any:
        exporting.now = True
        try:
            return export(spans)
        finally:
            exporting.now = False

    exporter.export = quietly
    return exporter


def activate_instrumentations() -> None:
    """Switches on every installed instrumentation of OpenTelemetry and OpenInference whose library is there."""
    ours: set[Any] = set()
    seen: set[str] = set()
    for group in _GROUPS:
        for entry in importlib.metadata.entry_points(group=group):
            if entry.value not in seen:
                seen.add(entry.value)
                try:
                    _activate(entry, ours)
                except Exception as error:
                    _debug(f"the instrumentation {entry.name} can't be used", repr(error))
    if ours:
        _let_the_program_instrument(ours)


def _activate(entry: importlib.metadata.EntryPoint, ours: set[Any]) -> None:
    instrumentor = entry.load()()
    check = getattr(instrumentor, "_check_dependency_conflicts", None)
    conflict = check() if check is not None else None
    if conflict is not None:
        _debug(f"the instrumentation {entry.name} is not used", conflict)
        return
    instrumentor.instrument(skip_dep_check=True)
    ours.add(type(instrumentor))


def _let_the_program_instrument(ours: set[Any]) -> None:
    """A program that switches an instrumentation on by itself gets it its own way, without a complaint."""
    module = importlib.import_module("opentelemetry.instrumentation.instrumentor")
    BaseInstrumentor: Any = module.BaseInstrumentor
    instrument = BaseInstrumentor.instrument

    def instrumented(self: Any, **kwargs: Any) -> Any:
        if type(self) in ours and self.is_instrumented_by_opentelemetry:
            ours.discard(type(self))
            if not kwargs:
                return None
            try:
                self.uninstrument()
            except Exception as error:
                _debug(f"{type(self).__name__} could not be switched off", repr(error))
        return instrument(self, **kwargs)

    BaseInstrumentor.instrument = instrumented
