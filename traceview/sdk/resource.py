"""What the daemon is told of this process: OpenTelemetry's resource attributes."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any
from urllib.parse import unquote

from traceview.protocol.version import VERSION


def process_resource() -> dict[str, Any]:
    """Service, process and host. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win, as in OpenTelemetry."""
    found: dict[str, Any] = {
        "service.name": _script(),
        "process.pid": os.getpid(),
        "process.command": sys.argv[0] if getattr(sys, "argv", None) else "",
        "process.executable.path": sys.executable,
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": platform.python_version(),
        "host.name": platform.node(),
        "telemetry.sdk.name": "traceview",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": VERSION,
    }
    found |= _stated(os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    service = os.environ.get("OTEL_SERVICE_NAME")
    return found | ({"service.name": service} if service else {})


def _script() -> str:
    """The program's name: its file without .py, or the package that `python -m` runs."""
    path = sys.argv[0] if getattr(sys, "argv", None) else ""
    name = os.path.basename(path)
    if name in ("__main__.py", "__init__.py"):
        name = os.path.basename(os.path.dirname(os.path.abspath(path)))
    name = name.removesuffix(".py")
    return name if name not in ("", "-c", "-") else "python"


def _stated(text: str) -> dict[str, str]:
    """`key=value,…`, percent-encoded (OpenTelemetry, Resource SDK); what doesn't follow that is left out."""
    pairs = (item.partition("=") for item in text.split(",") if "=" in item)
    return {unquote(key.strip()): unquote(value.strip()) for key, _, value in pairs if key.strip()}
