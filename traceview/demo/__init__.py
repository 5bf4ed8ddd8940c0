"""A support agent at work, offline: what `traceview demo` runs, using the public SDK as a user's program would."""

from traceview.demo.support_agent import QUESTION, run_support_agent

__all__ = ["QUESTION", "run_support_agent"]
