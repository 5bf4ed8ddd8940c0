"""A conversation as blocks: roles, what they said, thinking, tool calls, tool results, media that are never loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from PySide6.QtGui import QColor

from traceview.analysis.figures import bytes_text, tokens_exact
from traceview.app.inspectors.blocks import (
    Block,
    FoldBlock,
    HeadBlock,
    Ink,
    LineBlock,
    Look,
    Show,
    TextBlock,
    as_text,
    loud,
    prose,
    quiet,
)
from traceview.app.inspectors.llm_card import CardBlock
from traceview.app.inspectors.llm_figures import llm_figures
from traceview.app.inspectors.subject import Subject
from traceview.app.models.json_values import content_of, count_text, is_container, preview_text, scalar_text
from traceview.app.theme import Theme, mono_font, ui_font
from traceview.conventions.presented import (
    Content,
    Image,
    Message,
    Other,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

_BODY: Final = 24


def _llm_ink(colors: Theme) -> QColor:
    return colors.kind("llm").ink


def _tool_ink(colors: Theme) -> QColor:
    return colors.kind("tool").ink


def _cut_ink(colors: Theme) -> QColor:
    return colors.interrupted


def _thinking_ink(colors: Theme) -> QColor:
    return colors.kind("prompt").ink


_ROLES: Final[dict[str, tuple[str, str, Ink]]] = {
    "system": ("System", "system", quiet),
    "developer": ("Developer", "system", quiet),
    "user": ("User", "user", prose),
    "human": ("User", "user", prose),
    "assistant": ("Assistant", "assistant", _llm_ink),
    "model": ("Assistant", "assistant", _llm_ink),
    "ai": ("Assistant", "assistant", _llm_ink),
    "tool": ("Tool", "tool-message", _tool_ink),
    "function": ("Tool", "tool-message", _tool_ink),
    "thinking": ("Thinking", "thinking", _thinking_ink),
}
_FOLDS: Final = {"system": 4, "developer": 4, "tool": 6, "function": 6}
_FOLD: Final = 12
_QUIET: Final = frozenset({"system", "developer", "tool", "function"})


def conversation(subject: Subject, show: Show) -> Iterator[list[Block]]:
    """The blocks of a model call, message by message: its card, its settings, what was said."""
    presented = subject.presented
    figures = llm_figures(subject)
    head: list[Block] = [CardBlock(figures)] if figures.known or subject.row.kind == "llm" else []
    yield head + _offers(subject, show)
    for message in presented.messages_in:
        yield _message(message, show)
    thought = any(isinstance(part, Thinking) for said in presented.messages_out for part in said.content)
    if subject.payload.reasoning and not thought:
        yield _thinking(subject.payload.reasoning, show, _tokens(subject.row.reasoning_tokens))
    answers = presented.messages_out
    for message in answers:
        yield _message(message, show, subject if len(answers) == 1 else None)
    for text in presented.embeddings:
        yield [HeadBlock("Text", icon="text", whole=text), _paragraph(text, "user", show)]


def _offers(subject: Subject, show: Show) -> list[Block]:
    """What the model was offered and told beside the messages: tools, settings."""
    presented = subject.presented
    found: list[Block] = []
    if presented.tools:
        names = ", ".join(tool.name or "?" for tool in presented.tools[:20])
        count = len(presented.tools)
        value = {
            tool.name or f"tool {place}": tool.definition
            or {"description": tool.description, "parameters": tool.parameters}
            for place, tool in enumerate(presented.tools)
        }
        title = f"{count:,} tool{'' if count == 1 else 's'} offered"
        found.append(FoldBlock(title, names, value, show, icon="tool", ink=quiet, left=0))
    settings = {key: value for key, value in presented.settings.items() if key != "temperature"}
    if settings:
        title = f"{len(settings):,} setting{'' if len(settings) == 1 else 's'}"
        preview = preview_text(settings)
        found.append(FoldBlock(title, preview, settings, show, icon="settings", ink=quiet, left=0))
    if found:
        found[0].above = 8
    return found


def _message(message: Message, show: Show, answer_of: Subject | None = None) -> list[Block]:
    """One message: a heading whenever another voice speaks, and its parts below."""
    blocks: list[Block] = []
    voice: object = None
    for part in message.content:
        if isinstance(part, Thinking):
            tokens = _tokens(answer_of.row.reasoning_tokens) if answer_of else ""
            blocks += _thinking(part.text, show, tokens)
            voice = Thinking
            continue
        if isinstance(part, ToolResult) and message.role not in ("tool", "function"):
            blocks += [_tool_head(part), _part(part, message.role, show)]
            voice = ToolResult
            continue
        if voice is not Message:
            blocks.append(_head(message, answer_of))
            voice = Message
        blocks.append(_part(part, message.role, show))
    if not message.content:
        blocks += [_head(message, answer_of), LineBlock("empty", left=_BODY)]
    if message.left_out != 0:
        blocks.append(_rest_cut(message.left_out))
    return blocks


def _rest_cut(count: int | None) -> Block:
    more = "Further messages" if count is None else f"{count:,} more message{'' if count == 1 else 's'}"
    note = LineBlock(f"{more} cut by the program", icon="warning", ink=_cut_ink)
    note.above = 8
    return note


def _head(message: Message, answer_of: Subject | None) -> Block:
    title, icon, ink = _ROLES.get(message.role) or _other_role(message.role)
    right = message.name or next(
        (part.name for part in message.content if isinstance(part, ToolResult) if part.name), ""
    )
    if answer_of is not None and answer_of.row.output_tokens is not None:
        right = _tokens(max(0, answer_of.row.output_tokens - (answer_of.row.reasoning_tokens or 0)))
    return HeadBlock(title, icon=icon, ink=ink, right=right[:60], whole=message.text)


def _other_role(role: str) -> tuple[str, str, Ink]:
    title = role.replace("-", " ").replace("_", " ").capitalize()[:60] or "No role"
    return (title, "tool-message", _tool_ink) if "tool" in role else (title, "other", quiet)


def _tool_head(part: ToolResult) -> Block:
    title, icon, ink = _ROLES["tool"]
    return HeadBlock(title, icon=icon, ink=ink, right=(part.name or "")[:60], whole=as_text(part.content))


def _part(part: Content, role: str, show: Show) -> Block:
    match part:
        case Text():
            return _paragraph(part.text, role, show)
        case ToolCall():
            return call_block(part.name or "tool call", part.arguments, show)
        case ToolResult():
            return _paragraph(part.content, "tool", show)
        case Image():
            return LineBlock(image_line(part), icon="eye", left=_BODY, copied=part.uri or part.mime or "image")
        case Other():
            return FoldBlock("part", arguments_preview(part.value), part.value, show, icon="braces", ink=quiet)
        case Thinking():
            return _thinking(part.text, show, "")[1]


def call_block(name: str, arguments: Any, show: Show, left: int = _BODY) -> FoldBlock:
    """A tool call in one line, which opens to its arguments."""
    value = {} if arguments is None else arguments
    return FoldBlock(name, arguments_preview(value), value, show, icon="tool", ink=_tool_ink, left=left)


def arguments_preview(value: Any) -> str:
    """Arguments in a few words: {id: 48213}."""
    if isinstance(value, str):
        return value[:200]
    content = content_of(value)
    if content is None:
        return scalar_text(value)
    if not content:
        return ""
    inner = preview_text(content)
    return f"{{{inner}}}" if isinstance(content, dict) and inner else inner or count_text(content)


def _thinking(text: str, show: Show, tokens: str) -> list[Block]:
    title, icon, ink = _ROLES["thinking"]
    head = HeadBlock(title, icon=icon, ink=ink, right=tokens, whole=text)
    if not text:
        return [head, LineBlock("not disclosed by the provider", left=_BODY)]
    return [head, TextBlock(text, Look(prose, ui_font(12), fold=4, left=_BODY, rule=True), title, show)]


def _paragraph(value: Any, role: str, show: Show) -> Block:
    """What somebody said: prose, or a value as mono JSON."""
    structured = is_container(value)
    text = as_text(value) if value is not None else ""
    if not text:
        return LineBlock("empty", left=_BODY)
    mono = structured or role in ("tool", "function")
    ink = prose if role in _QUIET else loud
    look = Look(ink, mono_font() if mono else ui_font(12), fold=_FOLDS.get(role, _FOLD), left=_BODY)
    return TextBlock(text, look, role.capitalize(), show, value)


def image_line(image: Image) -> str:
    """A medium as a line of text: it is never loaded."""
    size = "" if image.size is None else bytes_text(image.size)
    place = "" if image.uri is None else image.uri[:200]
    known = [part for part in (image.mime or "image", size, place) if part]
    return " · ".join([*known, "not loaded"])


def _tokens(count: int | None) -> str:
    return "" if count is None else f"{tokens_exact(count)} tok"
