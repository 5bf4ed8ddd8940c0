"""Secrets taken out of spans before anything reaches a disk: by the name of a key, by the shape of a value."""

from traceview.redaction.redactor import Redactor, without_values
from traceview.redaction.rules import DEFAULT_RULES, Rule, RuleError, Rules
from traceview.redaction.scanner import Alarms

__all__ = ["DEFAULT_RULES", "Alarms", "Redactor", "Rule", "RuleError", "Rules", "without_values"]
