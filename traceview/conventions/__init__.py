"""Attribute dialects (OpenInference, OpenTelemetry GenAI) understood: kinds, models, tokens, messages. Pure."""

from traceview.conventions.facts import facts

__all__ = ["facts"]
