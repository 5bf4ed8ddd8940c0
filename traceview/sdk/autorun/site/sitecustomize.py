"""Runs at the start of every Python that `traceview run` starts: hands on to the next sitecustomize, then sets up."""

import importlib.util
import os
import sys


def _hand_on(here: str) -> None:
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or os.curdir) != here]
    own = sys.modules.pop("sitecustomize")
    try:
        importlib.import_module("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        # The import system looks for an entry of this name when we are done.
        sys.modules.setdefault("sitecustomize", own)


def _set_up(here: str) -> None:
    endpoint = os.environ.get("TRACEVIEW_OTLP_ENDPOINT")
    disabled = os.environ.get("TRACEVIEW_DISABLED", "").lower() not in ("", "0", "false")
    if not endpoint or disabled or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    try:
        # From its path and under no name: neither sys.path nor sys.modules of the program holds anything of ours.
        path = os.path.join(os.path.dirname(here), "instrument.py")
        spec = importlib.util.spec_from_file_location("traceview_instrument", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.start(endpoint)
    except Exception as error:
        if os.environ.get("TRACEVIEW_DEBUG"):
            sys.stderr.write(f"traceview: tracing could not be set up: {error!r}\n")


_here = os.path.dirname(os.path.abspath(__file__))
try:
    _hand_on(_here)
finally:
    _set_up(_here)
