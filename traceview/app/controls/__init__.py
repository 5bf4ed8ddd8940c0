"""The small controls that all panes share: buttons, chips, the search field, underlined tabs. Painted, not styled."""

from traceview.app.controls.buttons import Chip, IconButton, LinkButton, TextButton
from traceview.app.controls.drawing import draw_key_cap, key_cap_width, plain_tooltip, reduced_motion, wash
from traceview.app.controls.search_field import SearchField
from traceview.app.controls.tabs import Tabs

__all__ = [
    "Chip",
    "IconButton",
    "LinkButton",
    "SearchField",
    "Tabs",
    "TextButton",
    "draw_key_cap",
    "key_cap_width",
    "plain_tooltip",
    "reduced_motion",
    "wash",
]
