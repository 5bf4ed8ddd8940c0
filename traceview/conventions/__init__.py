"""Attribute dialects (OpenInference, OpenTelemetry GenAI) understood: kinds, models, tokens, messages. Pure."""

from traceview.conventions.facts import facts
from traceview.conventions.losses import losses
from traceview.conventions.present import input_and_output, present
from traceview.conventions.presented import (
    Content,
    Document,
    Image,
    Message,
    Other,
    Presented,
    PromptTemplate,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    ToolUse,
    Usage,
)

__all__ = [
    "Content",
    "Document",
    "Image",
    "Message",
    "Other",
    "Presented",
    "PromptTemplate",
    "Text",
    "Thinking",
    "Tool",
    "ToolCall",
    "ToolResult",
    "ToolUse",
    "Usage",
    "facts",
    "input_and_output",
    "losses",
    "present",
]
