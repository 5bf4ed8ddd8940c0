"""Controls: they paint in both themes, answer mouse and keyboard, and have names for screen readers."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QEnterEvent, QImage, QPainter
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from traceview.app.controls import (
    Chip,
    IconButton,
    LinkButton,
    SearchField,
    Tabs,
    TextButton,
    draw_key_cap,
    key_cap_width,
    plain_tooltip,
    reduced_motion,
    wash,
)
from traceview.app.theme import theme

DARK, LIGHT = theme(True), theme(False)


def _has(widget: QWidget, color: QColor) -> bool:
    image = widget.grab().toImage()
    return any(image.pixelColor(x, y) == color for x in range(image.width()) for y in range(image.height()))


def _hover(widget: QWidget) -> None:
    widget.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, True)


def test_a_tooltip_shows_markup_as_it_was_written(qapp: object) -> None:
    assert plain_tooltip("<b>&\nx") == "<qt>&lt;b&gt;&amp;<br>x</qt>"
    assert plain_tooltip("") == ""


def test_a_wash_is_see_through_and_motion_is_a_yes_or_no(qapp: object) -> None:
    assert 0.19 < wash(DARK.accent).alphaF() < 0.21
    assert reduced_motion() in (True, False)


def test_a_key_cap_grows_with_its_text(qapp: object) -> None:
    image = QImage(100, 30, QImage.Format.Format_RGB32)
    image.fill(DARK.bg1)
    painter = QPainter(image)
    assert draw_key_cap(painter, 10, 15, "Ctrl K", DARK) == 10 + key_cap_width("Ctrl K")
    painter.end()
    assert key_cap_width("/") < key_cap_width("Ctrl K")


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space])
def test_buttons_answer_the_keyboard(qtbot: QtBot, key: Qt.Key) -> None:
    for button in (IconButton("copy", "Copy"), TextButton("Copy"), LinkButton("Copy"), Chip("Copy")):
        qtbot.addWidget(button)
        assert button.accessibleName() == "Copy"
        with qtbot.waitSignal(button.clicked):
            qtbot.keyClick(button, key)


def test_an_icon_button_shows_checked_hovered_down_and_disabled(qtbot: QtBot) -> None:
    button = IconButton("fold", "Fold idle", checkable=True)
    qtbot.addWidget(button)
    button.set_theme(LIGHT)
    assert button.sizeHint() == button.size()
    plain = button.grab().toImage()
    _hover(button)
    hovered = button.grab().toImage()
    button.setDown(True)
    down = button.grab().toImage()
    button.setDown(False)
    button.setChecked(True)
    checked = button.grab().toImage()
    button.setChecked(False)
    button.setEnabled(False)
    images = [plain, hovered, down, checked, button.grab().toImage()]
    assert all(images[i] != images[j] for i in range(5) for j in range(i))
    button.set_icon("filter")
    button.set_tooltip("Filter <b>")
    assert button.accessibleName() == "Filter <b>"
    assert "&lt;b&gt;" in button.toolTip()


def test_a_focused_button_has_an_accent_border(qtbot: QtBot) -> None:
    button = TextButton("Copy", icon_name="copy")
    qtbot.addWidget(button)
    before = button.grab().toImage()
    button.show()
    button.setFocus()
    qtbot.waitUntil(button.hasFocus)
    assert button.grab().toImage() != before


def test_the_primary_button_is_filled_with_accent(qtbot: QtBot) -> None:
    button = TextButton("Try", primary=True)
    qtbot.addWidget(button)
    button.resize(button.sizeHint())
    assert _has(button, DARK.accent)
    _hover(button)
    assert not _has(button, DARK.accent)
    button.setEnabled(False)
    assert not _has(button, DARK.accent)
    narrow = button.sizeHint().width()
    button.set_text("Try the demo")
    assert button.label == "Try the demo"
    assert button.minimumSizeHint().width() > narrow


def test_a_link_is_underlined_under_the_mouse(qtbot: QtBot) -> None:
    link = LinkButton("Show")
    qtbot.addWidget(link)
    link.resize(link.sizeHint())
    before = link.grab().toImage()
    _hover(link)
    assert link.grab().toImage() != before
    link.setEnabled(False)
    link.grab()


def test_a_chip_says_what_clicking_it_takes_away(qtbot: QtBot) -> None:
    chip = Chip("tag: beta", removable=True)
    warning = Chip("3 spans dropped", mark="warning")
    for widget in (chip, warning):
        qtbot.addWidget(widget)
        widget.resize(widget.sizeHint())
        widget.grab()
    assert chip.accessibleName() == "Remove tag: beta"
    assert chip.label == "tag: beta"
    assert chip.minimumSizeHint().width() <= 48 < chip.sizeHint().width()
    warning.setCheckable(True)
    before = warning.grab().toImage()
    warning.setChecked(True)
    assert warning.grab().toImage() != before


def test_a_search_field_tells_return_shift_return_and_escape_apart(qtbot: QtBot) -> None:
    field = SearchField("Find", "/", mono=True)
    qtbot.addWidget(field)
    field.show()
    field.start_typing()
    qtbot.waitUntil(field.edit.hasFocus)
    with qtbot.waitSignal(field.text_changed):
        qtbot.keyClicks(field.edit, "a")
    assert field.edit.font().family() != "Inter"
    with qtbot.waitSignal(field.submitted):
        qtbot.keyClick(field.edit, Qt.Key.Key_Return)
    with qtbot.waitSignal(field.backward):
        qtbot.keyClick(field.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(field.edit, Qt.Key.Key_Escape)
    assert field.text == ""
    with qtbot.waitSignal(field.escaped):
        qtbot.keyClick(field.edit, Qt.Key.Key_Escape)
    field.clearFocus()
    field.edit.clearFocus()


def test_a_search_field_shows_its_count_its_key_and_that_it_is_wrong(qtbot: QtBot) -> None:
    field = SearchField("Find", "/")
    qtbot.addWidget(field)
    field.resize(240, 28)
    field.set_theme(LIGHT)
    with_key = field.grab().toImage()
    field.set_text("x")
    field.set_count("1 of 2")
    field.set_count("1 of 2")
    counted = field.grab().toImage()
    field.set_wrong(True)
    field.set_wrong(True)
    wrong = field.grab().toImage()
    assert with_key != counted != wrong
    plain = SearchField("Find")
    qtbot.addWidget(plain)
    plain.grab()


def _tabs(qtbot: QtBot, width: int) -> Tabs:
    tabs = Tabs()
    qtbot.addWidget(tabs)
    tabs.resize(width, 32)
    tabs.set_tabs([("Messages", 7), ("Output", None), ("Attributes", 14), ("Raw", None)])
    return tabs


def test_tabs_are_chosen_by_mouse_and_keyboard(qtbot: QtBot) -> None:
    tabs = _tabs(qtbot, 400)
    assert tabs.current == 0
    assert tabs.labels() == ["Messages", "Output", "Attributes", "Raw"]
    with qtbot.waitSignal(tabs.current_changed):
        qtbot.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=QPoint(110, 16))
    assert tabs.current == 1
    qtbot.keyClick(tabs, Qt.Key.Key_Right)
    assert tabs.current == 2
    qtbot.keyClick(tabs, Qt.Key.Key_Left)
    qtbot.keyClick(tabs, Qt.Key.Key_A)
    assert tabs.current == 1
    qtbot.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=QPoint(395, 16))
    assert tabs.current == 1


def test_the_chosen_tab_stays_when_the_tabs_change_around_it(qtbot: QtBot) -> None:
    tabs = _tabs(qtbot, 400)
    tabs.set_current(2)
    told: list[int] = []
    tabs.current_changed.connect(told.append)
    tabs.set_tabs([("Attributes", 15), ("Raw", None)])
    assert (tabs.current, told) == (0, [0])
    tabs.set_tabs([("Raw", None)])
    assert (tabs.current, told) == (0, [0, 0])
    tabs.set_tabs([])
    assert (tabs.current, told) == (-1, [0, 0, -1])


def test_tabs_that_do_not_fit_wait_in_a_menu(qtbot: QtBot) -> None:
    tabs = _tabs(qtbot, 190)
    menu = tabs.more_menu()
    assert [action.text() for action in menu.actions()] == ["Attributes", "Raw"]
    menu.actions()[1].trigger()
    menu.close()
    assert tabs.current == 3
    tabs.set_theme(LIGHT)
    tabs.grab()
    qtbot.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=QPoint(172, 16))
    narrow = _tabs(qtbot, 20)
    narrow.grab()
    for popup in tabs.findChildren(type(menu)):
        popup.close()


def test_a_tab_lights_up_under_the_mouse_and_shows_focus(qtbot: QtBot) -> None:
    tabs = _tabs(qtbot, 400)
    before = tabs.grab().toImage()
    qtbot.mouseMove(tabs, QPoint(110, 16))
    tabs.mouseMoveEvent(_move(110))
    assert tabs.grab().toImage() != before
    tabs.leaveEvent(QEvent(QEvent.Type.Leave))
    assert tabs.grab().toImage() == before
    tabs.show()
    tabs.setFocus()
    qtbot.waitUntil(tabs.hasFocus)
    assert tabs.grab().toImage() != before


def _move(x: int) -> QEnterEvent:
    return QEnterEvent(QPointF(x, 16), QPointF(x, 16), QPointF(x, 16))
