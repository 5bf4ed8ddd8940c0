"""What `traceview run` gives to the program it starts: an environment in which its OpenTelemetry spans come to us.

`site/sitecustomize.py` runs in the child at start and loads `instrument.py`. Both stand alone: the child's Python may
be another one, without traceview.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SITE: Final = Path(__file__).parent / "site"
ENDPOINT_VARIABLE: Final = "TRACEVIEW_OTLP_ENDPOINT"
_OWN_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def environment(base_env: Mapping[str, str], otlp_port: int | None) -> dict[str, str]:
    """The child's environment. Without a port (the daemon doesn't receive OTLP) it is the given one.

    A program that has its own OTLP endpoint keeps it, and sends to both. What the child's environment says already of
    OpenTelemetry stays as it is.
    """
    env = dict(base_env)
    if otlp_port is None:
        return env
    endpoint = f"http://127.0.0.1:{otlp_port}"
    paths = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(SITE)]
    env["PYTHONPATH"] = os.pathsep.join([str(SITE), *paths])
    env[ENDPOINT_VARIABLE] = endpoint
    if not any(env.get(name) for name in _OWN_ENDPOINTS):
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        env["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
        # We take traces only; without these a program would be told at every turn that its metrics are refused.
        env.setdefault("OTEL_METRICS_EXPORTER", "none")
        env.setdefault("OTEL_LOGS_EXPORTER", "none")
    env.setdefault("OTEL_BSP_SCHEDULE_DELAY", "100")
    # Without it the GenAI instrumentations leave out what was said to the model and by it.
    env.setdefault("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    return env
