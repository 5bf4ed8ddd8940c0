"""The transport: buttons that step and play, axis and speed, where the replay stands, and the scrubber below."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from traceview.analysis.figures import duration_text
from traceview.analysis.steps import AGENT_STEPS, ERRORS, EVERY_MOMENT, SPANS, Axis, AxisKind, Walk, same_name
from traceview.analysis.steps import same_parent as same_parent_axis
from traceview.app.controls import IconButton, draw_key_cap, key_cap_width
from traceview.app.paint import draw_text, text_width
from traceview.app.replay.buttons import ChoiceButton, FollowButton, PlayButton
from traceview.app.replay.pacing import SPEEDS, speed_text
from traceview.app.replay.player import Player
from traceview.app.replay.scrubber import HEIGHT, Scrubber
from traceview.app.state.selection import Selection
from traceview.app.theme import PANE_PADDING, TRANSPORT, Theme, theme, ui_font

_AXES: Final = (
    (AxisKind.AGENT_STEPS, "Agent steps"),
    (AxisKind.SPANS, "Every span"),
    (AxisKind.EVERY_MOMENT, "Every moment"),
    (AxisKind.ERRORS, "Errors"),
    (AxisKind.SAME_NAME, "Same name"),
    (AxisKind.SAME_PARENT, "Same parent"),
)
_FIXED_AXES: Final = {axis.kind: axis for axis in (AGENT_STEPS, SPANS, EVERY_MOMENT, ERRORS)}
_HINTS: Final = (("F10", "next"), ("F11", "into"), ("⇧ F11", "out"), ("Alt", "reverse"))
_STEP_BY: Final = "Step by"
_MIDDLE: Final = 21
# Below this width Follow live is an icon.
_NARROW: Final = 860


class Transport(QWidget):
    """The bar below a run. Its methods are what keys do; all of them do nothing where there is nothing to do.

    Signals:
        walk_changed(object): the stops changed (run, axis, more of a live run): a Walk, or None without a run.
    """

    walk_changed = Signal(object)

    def __init__(self, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._selection = selection
        self._line = self._label = self._hints = self._of = 0
        self._place = self._time = QRect()
        self.player = Player(selection, self)
        self._make_buttons()
        self.scrubber = Scrubber(self)
        self.scrubber.step_chosen.connect(self.player.go_to_step)
        self.player.walk_changed.connect(self._show_walk)
        self.player.moved.connect(self._show_place)
        self.player.playing_changed.connect(self.play_button.show_playing)
        self.player.following_changed.connect(self.follow_button.setChecked)
        self.setFixedHeight(TRANSPORT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Replay")
        self._show_walk(self.player.walk)

    def _make_buttons(self) -> None:
        player = self.player
        self.play_button = PlayButton(self)
        self.play_button.clicked.connect(player.toggle_play)
        self.step_buttons: list[IconButton] = []
        for icon, tooltip, act in (
            ("first", "First step (Home)", player.first),
            ("previous", "Previous step, over what it calls (Alt+F10)", player.back),
            ("next", "Next step, over what this one calls (F10)", player.forward),
            ("step-into", "Into what this step calls (F11)", player.into),
            ("step-out", "Finish the step that called this one (Shift+F11)", player.out),
            ("last", "Last step (End)", player.last),
        ):
            button = IconButton(icon, tooltip, size=26, parent=self)
            button.clicked.connect(act)
            self.step_buttons.append(button)
        self.leave_button = IconButton("close", "Leave the replay, show the run as of now (Esc)", size=20, parent=self)
        self.leave_button.clicked.connect(player.leave)
        self.axis_choice = ChoiceButton("Step by", [word for _, word in _AXES], self)
        self.axis_choice.chosen.connect(self._choose_axis)
        self.speed_choice = ChoiceButton("Speed", [speed_text(speed) for speed in SPEEDS], self)
        self.speed_choice.chosen.connect(self._choose_speed)
        self.speed_choice.show_choice(SPEEDS.index(player.speed))
        self.follow_button = FollowButton(self)
        self.follow_button.clicked.connect(self.follow_live)

    @property
    def walk(self) -> Walk | None:
        """The stops of the axis through the open run."""
        return self.player.walk

    @property
    def place_text(self) -> str:
        """Where the replay stands, as it is written: "Step 18 / 23 9.10 s"."""
        return " ".join(word for word in self._place_words() if word)

    @property
    def place_rect(self) -> QRect:
        """Where that is written."""
        return self._place.united(self._time)

    def first(self) -> None:
        """Goes to the first stop (Home)."""
        self.player.first()

    def last(self) -> None:
        """Goes to the last stop (End)."""
        self.player.last()

    def forward(self) -> None:
        """Goes to the next step, over what this one calls (F10)."""
        self.player.forward()

    def back(self) -> None:
        """Goes to the previous step, over what it calls (Alt+F10)."""
        self.player.back()

    def into(self) -> None:
        """Goes into what this step calls (F11)."""
        self.player.into()

    def back_into(self) -> None:
        """Goes to the step before, wherever it is (Alt+F11)."""
        self.player.back_into()

    def out(self) -> None:
        """Finishes the step that called this one (Shift+F11)."""
        self.player.out()

    def back_out(self) -> None:
        """Goes back to where the step that called this one opened (Alt+Shift+F11)."""
        self.player.back_out()

    def toggle_play(self) -> None:
        """Plays, or pauses (Space)."""
        self.player.toggle_play()

    def leave(self) -> None:
        """Leaves the replay: the run is shown as of now (Escape)."""
        self.player.leave()

    def go_to_step(self, step: int) -> None:
        """Goes to a step by its number on the axis, from 1."""
        self.player.go_to_step(step)

    def follow_live(self, following: bool = True) -> None:
        """Stays at the newest step of a running run, or no longer does."""
        self.player.follow(following)
        self.follow_button.setChecked(self.player.following)

    def set_axis(self, axis: Axis | None) -> None:
        """Steps along another axis; None: agent steps, or every span where a run has none."""
        self.player.set_axis(axis)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        for part in (*self.step_buttons, self.play_button, self.leave_button, self.follow_button):
            part.set_theme(colors)
        for choice in (self.axis_choice, self.speed_choice):
            choice.set_theme(colors)
        self.scrubber.set_theme(colors)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(900, TRANSPORT)

    def minimumSizeHint(self) -> QSize:
        return QSize(480, TRANSPORT)

    def _choose_axis(self, index: int) -> None:
        kind = _AXES[index][0]
        axis = _FIXED_AXES.get(kind)
        if axis is None:
            axis = self._axis_about_span(kind)
        if axis is not None:
            self.player.set_axis(axis)

    def _axis_about_span(self, kind: AxisKind) -> Axis | None:
        """Same name or same parent as the selected span; where none is, as the first one."""
        run = self._selection.run
        if run is None or not len(run.tree):
            return None
        row = run.row(self._selection.span_id) if self._selection.span_id is not None else None
        row = row or run.tree.rows[0]
        return same_name(row.name) if kind is AxisKind.SAME_NAME else same_parent_axis(row.parent_id)

    def _choose_speed(self, index: int) -> None:
        self.player.set_speed(SPEEDS[index])
        self.speed_choice.show_choice(index)

    def _show_walk(self, walk: Walk | None) -> None:
        run = self._selection.run
        usable = walk is not None and len(walk.moments) > 0
        for part in (*self.step_buttons, self.play_button, self.axis_choice, self.speed_choice, self.scrubber):
            part.setEnabled(usable)
        self.follow_button.setVisible(self.player.running)
        if walk is not None:
            kinds = [kind for kind, _ in _AXES]
            self.axis_choice.show_choice(kinds.index(walk.axis.kind), walk.axis.name)
        self.scrubber.set_walk(walk, run.start_ns if run is not None else 0)
        self._show_place()
        self.walk_changed.emit(walk)

    def _show_place(self) -> None:
        self.scrubber.set_moment(self._selection.moment)
        self.leave_button.setVisible(self.player.replaying)
        self.setAccessibleDescription(self.place_text)
        self._lay_out()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _place_words(self) -> tuple[str, str, str]:
        """Where the replay stands: "Step 18", "/ 23", "9.10 s"; how long the way is where it stands nowhere."""
        walk, run = self.player.walk, self._selection.run
        if walk is None or run is None or not len(walk.moments):
            return "No run", "", ""
        unit = walk.axis.unit
        if not self.player.replaying:
            words = f"{len(walk):,} {unit}" + ("" if len(walk) == 1 else "s")
            return words, "", duration_text(run.now_ns - run.start_ns)
        passed = walk.moments.times[self._selection.moment] - run.start_ns
        return f"{unit.capitalize()} {self.player.step:,}", f"/ {len(walk):,}", duration_text(passed)

    def _lay_out(self) -> None:
        """Puts everything in its place; what does not fit goes, in the order in which it is missed least."""
        left = PANE_PADDING
        for button in (*self.step_buttons[:2], self.play_button, *self.step_buttons[2:]):
            button.move(left, _MIDDLE - button.height() // 2)
            left += button.width() + 4
        self._line = left + 6
        left += 18
        room = self._lay_out_right() - left - 16
        axis, speed = self.axis_choice.sizeHint().width(), self.speed_choice.sizeHint().width()
        label = round(text_width(ui_font(12), _STEP_BY)) + 8
        self._label = left if room >= label + axis + 8 + speed else -1
        left += label if self._label >= 0 else 0
        self.axis_choice.setGeometry(left, _MIDDLE - 13, axis, 26)
        self.speed_choice.setGeometry(left + axis + 8, _MIDDLE - 13, speed, 26)
        self.axis_choice.setVisible(room >= axis)
        self.speed_choice.setVisible(room >= axis + 8 + speed)
        self._hints = left + axis + speed + 28
        self.scrubber.setGeometry(PANE_PADDING, 39, self.width() - 2 * PANE_PADDING, HEIGHT)

    def _lay_out_right(self) -> int:
        """Lays out the place in the run and Follow live; returns where they begin."""
        right = self.width() - PANE_PADDING
        self.follow_button.set_narrow(self.width() < _NARROW)
        if self.player.running:
            size = self.follow_button.sizeHint()
            right -= size.width()
            self.follow_button.setGeometry(right, _MIDDLE - size.height() // 2, size.width(), size.height())
            right -= 12
        if self.player.replaying:
            right -= self.leave_button.width()
        self.leave_button.move(right, _MIDDLE - self.leave_button.height() // 2)
        bold, plain = ui_font(13, 600), ui_font(13)
        words, of, passed = self._place_words()
        # As wide as it gets, so that nothing moves while it plays.
        widest = round(max(text_width(bold, passed), text_width(bold, "88.88\u2009s"))) + 14 if passed else 0
        self._time = QRect(right - widest, _MIDDLE - 14, max(0, widest - 6), 28)
        count = round(text_width(plain, of)) + 4 if of else 0
        whole = len(self.player.walk) if self.player.walk is not None else 0
        widest = round(max(text_width(bold, words), text_width(bold, f"Step {whole:,}" if of else words)))
        self._place = QRect(self._time.left() - count - widest - 2, _MIDDLE - 14, widest + count + 2, 28)
        self._of = count
        return self._place.left()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg1)
        painter.fillRect(0, 0, self.width(), 1, colors.border)
        if not self.axis_choice.isHidden():
            painter.fillRect(self._line, _MIDDLE - 9, 1, 18, colors.border_strong)
        usable = self.axis_choice.isEnabled()
        if self._label >= 0:
            box = QRect(self._label, _MIDDLE - 14, self.axis_choice.x() - self._label, 28)
            draw_text(painter, box, _STEP_BY, ui_font(12), colors.text3 if usable else colors.disabled)
        if usable and not self.speed_choice.isHidden():
            self._paint_hints(painter, colors)
        words, of, passed = self._place_words()
        right = Qt.AlignmentFlag.AlignRight
        ink = colors.text1 if usable else colors.disabled
        draw_text(painter, self._place.adjusted(0, 0, -self._of, 0), words, ui_font(13, 600), ink, right)
        draw_text(painter, self._place, of, ui_font(13), colors.text3, right)
        draw_text(painter, self._time, passed, ui_font(13, 600), ink, right)

    def _paint_hints(self, painter: QPainter, colors: Theme) -> None:
        left, font = self._hints, ui_font(12)
        for key, word in _HINTS:
            width = key_cap_width(key) + 6 + round(text_width(font, word)) + 16
            if left + width > self._place.left() - 8:
                break
            after = draw_key_cap(painter, left, _MIDDLE, key, colors)
            draw_text(painter, QRect(after + 6, _MIDDLE - 14, width, 28), word, font, colors.text3)
            left += width
