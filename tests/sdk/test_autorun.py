"""`traceview run`: a program's OpenTelemetry spans reach the daemon, and the program notices nothing."""

from __future__ import annotations

import gzip
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from traceview.sdk.autorun import SITE, environment

from .conftest import Finished, child_environment  # isort: skip

Run = Callable[..., Finished]


class Received:
    """An OTLP/HTTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str]] = []
        received = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                received.take(self.path, ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def take(self, path: str, request: ExportTraceServiceRequest) -> None:
        """Keeps service and name of each span."""
        assert path == "/v1/traces"
        for resource in request.resource_spans:
            service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            self.spans += [(service, span.name) for scope in resource.scope_spans for span in scope.spans]

    def names(self) -> list[str]:
        """The names of the spans, sorted."""
        return sorted(name for _, name in self.spans)

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def otlp() -> Iterator[Received]:
    received = Received()
    yield received
    received.close()


@pytest.fixture
def run_traced(run_program: Run, otlp: Received) -> Run:
    def run(code: str, **options: object) -> Finished:
        changes = {k: str(v) for k, v in options.items() if k != "code_expected"}
        env = environment({**child_environment(), "TRACEVIEW_DEBUG": "1", **changes}, otlp.port)
        return run_program(code, env=env, code_expected=options.get("code_expected", 0))

    return run


@pytest.fixture
def distribution(tmp_path: Path) -> Path:
    """A real distribution with instrumentations by entry points, and the library that it instruments."""
    folder = tmp_path / "installed"
    info = folder / "chattiness_instrumentation-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chattiness-instrumentation\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[opentelemetry_instrumentor]\n"
        "chattiness = chattiness_instrumentation:ChattinessInstrumentor\n"
        "broken = chattiness_instrumentation:Broken\n"
        "missing = no_such_module:Instrumentor\n"
        "conflicting = chattiness_instrumentation:Conflicting\n"
        "[openinference_instrumentor]\n"
        "chattiness = chattiness_instrumentation:ChattinessInstrumentor\n"
        "inference = chattiness_instrumentation:Inference\n"
    )
    (folder / "chattiness.py").write_text("def chat(text):\n    return text.upper()\n")
    (folder / "chattiness_instrumentation.py").write_text(INSTRUMENTATION)
    return folder


INSTRUMENTATION = """
import chattiness
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

class ChattinessInstrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return []

    def _instrument(self, tracer_provider=None, **kwargs):
        tracer = trace.get_tracer("chattiness", tracer_provider=tracer_provider)
        self.original = original = chattiness.chat

        def chat(text):
            with tracer.start_as_current_span("chat"):
                return original(text)

        chattiness.chat = chat

    def _uninstrument(self, **kwargs):
        chattiness.chat = self.original

class Inference(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return []

    def _instrument(self, **kwargs):
        chattiness.inferred = True

    def _uninstrument(self, **kwargs):
        raise RuntimeError("can't be undone")

class Broken(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return []

    def _instrument(self, **kwargs):
        raise RuntimeError("broken on purpose")

    def _uninstrument(self, **kwargs):
        pass

class Conflicting(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return ["no-such-library >= 99"]

    def _instrument(self, **kwargs):
        raise AssertionError("must not be activated")

    def _uninstrument(self, **kwargs):
        pass
"""


def test_the_environment_adds_our_folder_first_and_says_where_to_send() -> None:
    env = environment({"PATH": "/bin", "PYTHONPATH": "/mine"}, 4318)
    assert env["PYTHONPATH"] == os.pathsep.join([str(SITE), "/mine"])
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"
    assert env["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert env["PATH"] == "/bin"
    assert environment(env, 4318)["PYTHONPATH"] == env["PYTHONPATH"]  # run inside run


def test_what_the_user_set_stays() -> None:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example", "OTEL_BSP_SCHEDULE_DELAY": "9"}
    env = environment(given, 4318)
    assert {key: env[key] for key in given} == given
    assert "OTEL_EXPORTER_OTLP_PROTOCOL" not in env
    assert "OTEL_METRICS_EXPORTER" not in env


def test_without_a_port_the_environment_is_as_it_was() -> None:
    given = {"PATH": "/bin"}
    found = environment(given, None)
    assert found == given
    assert found is not given


def test_a_program_without_a_provider_gets_ours(run_traced: Run, otlp: Received) -> None:
    done = run_traced(
        """
        from opentelemetry import trace
        tracer = trace.get_tracer("app")
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
            pass
        """
    )
    assert otlp.names() == ["inner", "outer"]
    assert {service for service, _ in otlp.spans} == {"program"}
    assert (done.out, done.err) == ("", "")


def test_a_program_with_its_own_provider_keeps_it_and_we_get_a_copy(run_traced: Run, otlp: Received) -> None:
    done = run_traced(
        """
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        early = trace.get_tracer("early")
        with early.start_as_current_span("before"):
            pass
        kept = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource.create({"service.name": "mine"}))
        provider.add_span_processor(SimpleSpanProcessor(kept))
        trace.set_tracer_provider(provider)
        assert trace.get_tracer_provider() is provider
        for tracer in (early, trace.get_tracer("late")):
            with tracer.start_as_current_span("after"):
                pass
        print([span.name for span in kept.get_finished_spans()])
        """
    )
    assert done.out == "['after', 'after']\n"
    assert done.err == ""
    assert sorted(otlp.spans) == [("mine", "after"), ("mine", "after"), ("program", "before")]


def test_a_program_that_sends_to_us_by_itself_does_not_send_twice(run_traced: Run, otlp: Received) -> None:
    run_traced(
        """
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

        for processor in (BatchSpanProcessor, SimpleSpanProcessor):
            provider = TracerProvider()
            provider.add_span_processor(processor(OTLPSpanExporter()))
            with provider.get_tracer("app").start_as_current_span(processor.__name__):
                pass
        """
    )
    assert otlp.names() == ["BatchSpanProcessor", "SimpleSpanProcessor"]


def test_installed_instrumentations_are_switched_on(run_traced: Run, otlp: Received, distribution: Path) -> None:
    done = run_traced("import chattiness; print(chattiness.chat('hi'), chattiness.inferred)", PYTHONPATH=distribution)
    assert done.out == "HI True\n"
    assert otlp.names() == ["chat"]
    said = done.err.splitlines()
    assert len(said) == 3
    assert any("broken" in line and "broken on purpose" in line for line in said)
    assert any("missing" in line and "no_such_module" in line for line in said)
    assert any("conflicting" in line and "no-such-library" in line for line in said)


def test_failures_are_silent_without_the_debug_switch(run_traced: Run, distribution: Path) -> None:
    assert run_traced("import chattiness", PYTHONPATH=distribution, TRACEVIEW_DEBUG="").err == ""


def test_a_program_that_instruments_by_itself_gets_its_way(run_traced: Run, otlp: Received, distribution: Path) -> None:
    done = run_traced(
        """
        import chattiness
        from chattiness_instrumentation import ChattinessInstrumentor, Inference
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        Inference().instrument()
        Inference().instrument(odd=True)
        provider = TracerProvider(resource=Resource.create({"service.name": "mine"}))
        ChattinessInstrumentor().instrument(tracer_provider=provider)
        chattiness.chat("hi")
        """,
        PYTHONPATH=distribution,
        TRACEVIEW_DEBUG="",
    )
    assert otlp.spans == [("mine", "chat")]
    assert "instrument while already" in done.err  # Inference, the second time: the library's own complaint
    assert len(done.err.splitlines()) == 1


def test_an_instrumentation_that_cannot_be_undone_is_said(run_traced: Run, distribution: Path) -> None:
    done = run_traced(
        "from chattiness_instrumentation import Inference; Inference().instrument(odd=True)", PYTHONPATH=distribution
    )
    assert 'Inference could not be switched off: RuntimeError("can\'t be undone")' in done.err


def test_nothing_of_ours_is_in_the_programs_names(run_traced: Run) -> None:
    done = run_traced(
        """
        import sys
        print([path for path in sys.path if "autorun" in path])
        print([name for name in sys.modules if "traceview" in name])
        print(sorted(name for name in vars(__builtins__) if "traceview" in name))
        """
    )
    assert done.out == "[]\n[]\n[]\n"


def test_the_next_sitecustomize_runs_too(run_traced: Run, otlp: Received, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "sitecustomize.py").write_text("print('theirs'); MARK = 1\n")
    done = run_traced(
        """
        import sitecustomize
        print(sitecustomize.MARK)
        from opentelemetry import trace
        with trace.get_tracer("app").start_as_current_span("s"):
            pass
        """,
        PYTHONPATH=theirs,
    )
    assert done.out == "theirs\n1\n"
    assert otlp.names() == ["s"]


def test_a_next_sitecustomize_that_fails_fails_as_without_us(
    run_traced: Run, run_program: Run, otlp: Received, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "sitecustomize.py").write_text("import no_such_module\n")
    code = """
    from opentelemetry import trace
    with trace.get_tracer("app").start_as_current_span("s"):
        pass
    """
    alone = run_program(code, PYTHONPATH=str(theirs))
    with_us = run_traced(code, PYTHONPATH=theirs)
    assert "No module named 'no_such_module'" in alone.err
    assert "No module named 'no_such_module'" in with_us.err
    assert otlp.names() == ["s"]


@pytest.mark.parametrize("switch", [{"TRACEVIEW_DISABLED": "1"}, {"OTEL_SDK_DISABLED": "true"}])
def test_switched_off_it_does_nothing(run_traced: Run, otlp: Received, switch: dict[str, str]) -> None:
    done = run_traced(
        """
        import sys
        print("opentelemetry" in sys.modules)
        from opentelemetry import trace
        with trace.get_tracer("app").start_as_current_span("s"):
            pass
        """,
        **switch,
    )
    assert done.out == "False\n"
    assert otlp.spans == []


def test_another_python_without_opentelemetry_and_without_us_runs_as_ever(otlp: Received) -> None:
    env = environment({**os.environ, "TRACEVIEW_DEBUG": "1"}, otlp.port)
    # -S leaves out the site-packages that this Python may have; sitecustomize is then run by hand, as site would.
    code = "import sitecustomize, sys; print(sorted(m for m in sys.modules if 'telemetry' in m or 'traceview' in m))"
    command = [sys._base_executable, "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_daemon_that_is_gone_leaves_the_programs_output_alone(run_program: Run) -> None:
    closed = Received()
    closed.close()
    env = environment(child_environment(), closed.port)
    done = run_program(
        """
        from opentelemetry import trace
        with trace.get_tracer("app").start_as_current_span("s"):
            pass
        """,
        env=env,
    )
    assert (done.out, done.err) == ("", "")
    assert done.seconds < 15
