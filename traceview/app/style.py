"""The few stock widgets that are left (scroll bars, splitters, menus, tooltips), in the theme's colours."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication

from traceview.app.theme import Theme, load_fonts, palette, ui_font

_SHEET = """
QScrollBar:vertical {{ background: transparent; width: 9px; margin: 2px 2px 2px 2px; }}
QScrollBar:horizontal {{ background: transparent; height: 9px; margin: 2px 2px 2px 2px; }}
QScrollBar::handle {{ background: {handle}; border-radius: 2px; }}
QScrollBar::handle:vertical {{ min-height: 32px; }}
QScrollBar::handle:horizontal {{ min-width: 32px; }}
QScrollBar::handle:hover {{ background: {hovered}; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{
    background: transparent; border: none; width: 0; height: 0;
}}
QSplitter::handle {{ background: {hairline}; }}
QMenu {{ background: {menu}; border: 1px solid {border}; padding: 4px; }}
QMenu::item {{ padding: 4px 24px 4px 12px; border-radius: 4px; color: {text}; }}
QMenu::item:selected {{ background: {selection}; }}
QMenu::item:disabled {{ color: {disabled}; }}
QMenu::separator {{ height: 1px; background: {border}; margin: 4px 8px; }}
QToolTip {{ background: {menu}; color: {text}; border: 1px solid {border}; padding: 4px 6px; }}
"""


def prepare(app: QApplication) -> None:
    """Fonts and style, once at the start."""
    app.setStyle("Fusion")
    load_fonts()
    app.setFont(ui_font())


def dress(app: QApplication, colors: Theme) -> None:
    """Palette and sheet of the application in these colours."""
    app.setPalette(palette(colors))
    app.setStyleSheet(
        _SHEET.format(
            hairline=colors.border.name(),
            handle=colors.border_strong.name(),
            hovered=colors.disabled.name(),
            menu=colors.bg3.name(),
            border=colors.border_strong.name(),
            text=colors.text1.name(),
            selection=colors.selection.name(),
            disabled=colors.disabled.name(),
        )
    )
