"""Colours by role, type and measures of the window, in dark and light; one object to swap for both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from traceview.protocol.records import KINDS

# Measures in logical pixels, on a 4 px grid.
ROW: Final = 24
TRACE_ROW: Final = 48
BAR: Final = 12
MIN_BAR: Final = 3
INDENT: Final = 16
PANE_PADDING: Final = 12
INSPECTOR_PADDING: Final = 16
APP_BAR: Final = 40
TRACE_HEADER: Final = 48
COLUMN_HEADER: Final = 24
PANEL_HEAD: Final = 28
CHIP: Final = 20
INPUT: Final = 28
STATUS_BAR: Final = 24
TRANSPORT: Final = 88
MINIMAP: Final = 44

_UI_FAMILIES: Final = ("Inter", "Cantarell", "Noto Sans", "SF Pro Text", "Segoe UI Variable", "Segoe UI", "DejaVu Sans")
_DISPLAY_FAMILIES: Final = ("Inter Display", *_UI_FAMILIES)
_MONO_FAMILIES: Final = ("JetBrains Mono", "SF Mono", "Menlo", "Cascadia Mono", "Consolas", "DejaVu Sans Mono")


@dataclass(frozen=True, slots=True)
class KindColors:
    """One span kind: `ink` for icon and text, `fill` for its bar, `container` for a bar with children, `outline`."""

    ink: QColor
    fill: QColor
    container: QColor
    outline: QColor | None


@dataclass(frozen=True, slots=True)
class Theme:
    """Every colour of the window by role (VISUAL: calm greys; colour says kind, status or change, nothing else)."""

    name: str
    bg0: QColor
    bg1: QColor
    bg2: QColor
    bg3: QColor
    bg4: QColor
    border: QColor
    border_strong: QColor
    text1: QColor
    text2: QColor
    text3: QColor
    disabled: QColor
    accent: QColor
    on_accent: QColor
    selection: QColor
    hover: QColor
    ok: QColor
    error: QColor
    running: QColor
    interrupted: QColor
    error_wash: QColor
    added: QColor
    added_wash: QColor
    changed: QColor
    changed_wash: QColor
    removed: QColor
    removed_wash: QColor
    critical: QColor
    hit: QColor
    hit_wash: QColor
    kinds: dict[str, KindColors]

    @property
    def dark(self) -> bool:
        """Whether this is the dark theme."""
        return self.name == "dark"

    def kind(self, name: str) -> KindColors:
        """The colours of a span kind; unknown kinds look like `other`."""
        return self.kinds.get(name) or self.kinds["other"]


_ROLES: Final = {
    "bg0": ("#0C0E11", "#E9ECF0"),
    "bg1": ("#131519", "#FFFFFF"),
    "bg2": ("#191C21", "#F6F7F9"),
    "bg3": ("#22262D", "#EDEFF3"),
    "bg4": ("#2C313A", "#DFE3E9"),
    "border": ("#23272E", "#E3E6EB"),
    "border_strong": ("#363C46", "#C9CFD8"),
    "text1": ("#E8EAED", "#171A1F"),
    "text2": ("#B3BAC5", "#434B57"),
    "text3": ("#8F98A6", "#5B6471"),
    "disabled": ("#5C6470", "#A3ABB7"),
    "accent": ("#6CA0FF", "#2A5FD6"),
    "on_accent": ("#0B1220", "#FFFFFF"),
    "selection": ("#1D2C4A", "#DFEAFE"),
    "hover": ("#1B1F25", "#F3F5F8"),
    "ok": ("#55C48D", "#146C41"),
    "error": ("#FF6B6B", "#C92A2A"),
    "running": ("#6CA0FF", "#2A5FD6"),
    "interrupted": ("#F2A65A", "#955000"),
    "error_wash": ("#2E181B", "#FDEDED"),
    "added": ("#55C48D", "#146C41"),
    "added_wash": ("#14291F", "#E6F6ED"),
    "changed": ("#E9BE5A", "#8A6100"),
    "changed_wash": ("#2B2413", "#FFF6DD"),
    "removed": ("#FF7B7B", "#C22B2B"),
    "removed_wash": ("#2E181B", "#FDECEC"),
    "critical": ("#F4F6F8", "#171A1F"),
    "hit": ("#FFE08A", "#4A3A00"),
    "hit_wash": ("#55470F", "#FFE9A3"),
}

# kind: dark ink, light ink, light fill. In dark the ink is also the bar.
_KIND_COLORS: Final = {
    "agent": ("#B39DFA", "#6B4AD6", "#8B70EA"),
    "chain": ("#8F9AAA", "#5E6A79", "#8793A3"),
    "llm": ("#E6B84A", "#845800", "#E3A42C"),
    "tool": ("#3FBFAB", "#0E7567", "#28A592"),
    "retriever": ("#93C763", "#467317", "#79AE42"),
    "reranker": ("#D3DC86", "#696E0C", "#B9BF45"),
    "embedding": ("#62CBE3", "#0A7089", "#2FAECB"),
    "guardrail": ("#EE93C8", "#AD2D7C", "#C4318B"),
    "evaluator": ("#EBC09B", "#96501D", "#CF8A58"),
    "prompt": ("#A3AEE8", "#4C58B3", "#7A86E0"),
    "other": ("#8E97A4", "#5E6773", "#B4BCC7"),
}
_DARK_OTHER_BAR: Final = "#626C7A"


def _over(color: QColor, share: float, ground: QColor) -> QColor:
    """`share` of a colour laid over an opaque ground, as one opaque colour: cheaper to paint than alpha."""

    def mix(channel: int, behind: int) -> int:
        return round(share * channel + (1 - share) * behind)

    return QColor(mix(color.red(), ground.red()), mix(color.green(), ground.green()), mix(color.blue(), ground.blue()))


@cache
def theme(dark: bool) -> Theme:
    """The dark or the light theme."""
    roles = {role: QColor(pair[0 if dark else 1]) for role, pair in _ROLES.items()}
    pane = roles["bg1"]
    kinds = {}
    for kind in KINDS:
        dark_ink, light_ink, light_fill = (QColor(text) for text in _KIND_COLORS[kind])
        if dark:
            bar = QColor(_DARK_OTHER_BAR) if kind == "other" else dark_ink
            kinds[kind] = KindColors(dark_ink, _over(bar, 0.88, pane), _over(bar, 0.34, pane), None)
        else:
            kinds[kind] = KindColors(light_ink, light_fill, _over(light_fill, 0.26, pane), light_ink)
    return Theme(name="dark" if dark else "light", kinds=kinds, **roles)


def system_theme(app: QApplication) -> Theme:
    """The theme the desktop asks for; dark where it does not say (off screen the scheme is Unknown)."""
    return theme(app.styleHints().colorScheme() != Qt.ColorScheme.Light)


def palette(colors: Theme) -> QPalette:
    """The theme as a QPalette for the few stock widgets: inputs, menus, scroll bars, dialogs."""
    result = QPalette()
    for role, color in (
        (QPalette.ColorRole.Window, colors.bg1),
        (QPalette.ColorRole.WindowText, colors.text1),
        (QPalette.ColorRole.Base, colors.bg2),
        (QPalette.ColorRole.AlternateBase, colors.bg1),
        (QPalette.ColorRole.Text, colors.text1),
        (QPalette.ColorRole.Button, colors.bg3),
        (QPalette.ColorRole.ButtonText, colors.text1),
        (QPalette.ColorRole.BrightText, colors.error),
        (QPalette.ColorRole.Highlight, colors.selection),
        (QPalette.ColorRole.HighlightedText, colors.text1),
        (QPalette.ColorRole.Link, colors.accent),
        (QPalette.ColorRole.ToolTipBase, colors.bg3),
        (QPalette.ColorRole.ToolTipText, colors.text1),
        (QPalette.ColorRole.PlaceholderText, colors.text3),
        (QPalette.ColorRole.Accent, colors.accent),
        (QPalette.ColorRole.Mid, colors.border_strong),
        (QPalette.ColorRole.Dark, colors.border),
        (QPalette.ColorRole.Light, colors.bg4),
    ):
        result.setColor(role, color)
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, role, colors.disabled)
    return result


def resources() -> Path:
    """The folder of fonts, icons and samples: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "resources"
    return inside if inside.is_dir() else package.parent / "resources"


def load_fonts() -> None:
    """Makes the bundled Inter and JetBrains Mono known to Qt, so that a window looks the same everywhere."""
    for file in sorted((resources() / "fonts").glob("*.[ot]tf")):
        QFontDatabase.addApplicationFont(str(file))


@cache
def ui_font(size: int = 12, weight: int = 400) -> QFont:
    """The UI font at a pixel size, figures tabular. Weights: 400, 500, 600."""
    return _font(_DISPLAY_FAMILIES if size >= 18 else _UI_FAMILIES, size, weight, "tnum", 1)


@cache
def mono_font(size: int = 12, weight: int = 400) -> QFont:
    """The mono font for recorded or typed text; ligatures off, since they misquote what was recorded."""
    return _font(_MONO_FAMILIES, size, weight, "calt", 0)


def _font(families: tuple[str, ...], size: int, weight: int, feature: str, value: int) -> QFont:
    font = QFont()
    font.setFamilies(list(families))
    font.setPixelSize(size)
    font.setWeight(QFont.Weight(weight))
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    font.setFeature(QFont.Tag(feature), value)
    return font
