"""Long text is searched in its bytes: it loses the same secrets, for the same reasons, as short text does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from traceview.protocol.records import SpanPart
from traceview.redaction import DEFAULT_RULES, Redactor, Rules, scanner
from traceview.redaction.engine import is_linear
from traceview.redaction.long_text import find_needles
from traceview.redaction.scanner import scanner_for

pytestmark = pytest.mark.skipif(not is_linear(), reason="needs google-re2")

KEY = "sk-ant-api03-aB3dE5gH7jK9mN1pQ2rS4tU6vW8"
RULES = (
    DEFAULT_RULES,
    Rules(emails=True, keep_names=frozenset({"db_password", "jwt"})).with_patterns({"ticket": r"\bTK-\w+$|ü+x"}),
)
# What secrets, the names before them and the text around them are made of.
PIECES = (
    *(KEY, "sk-ant-", "AKIAIOSFODNN2EXAMPLE", "ghp_" + "aB3" * 12, "AccountKey=" + "a/" * 43 + "==", "TK-12", "AKIA"),
    *("4111 1111 1111 1111", "4111 1111 1111 1112", "4111", "0.", "1234567", "eyJ" + "a" * 12, ".eyJ" + "b" * 12 + "."),
    *("Bearer ", "basic ", "dXNlcjpodW50ZXIy", "Cookie: a=b; c=d", "postgres://u:", "hunter2", "@", "@host.example"),
    *("https://hooks.slack.com/services/" + "aB3/" * 11, "?sig=" + "a1" * 12, "[redacted:name]", "[redacted:"),
    *("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----", "passwor", "d", "password", "db_password"),
    *("Api Key", "api\n_key", "--token", " --password ", "PGPASSWORD", '"', '\\"', "'", ": ", " : ", "=", " = ", ","),
    *("}", "\\", "\n", "\r\n", "\t", " ", "\u00a0", "\u2003", "\0", "\x7f", "-", "_", ".", "x", "ä", "’", "𝄞", "üü"),
    *("e\u0301", "\u212a", "ſ", "aſia", "İ", "\ud800"),
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join)


def cleaned(text: str, rules: Rules, long: int) -> tuple[str, Counter[str]]:
    """The text without secrets where what is longer than `long` counts as long, and what was found."""
    found: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanner, "_LONG", long)
        return scanner_for(rules).cleaned(text, found), found


@pytest.mark.parametrize("rules", RULES)
@given(TEXTS)
@settings(max_examples=1_000)
@example(f'ä "password": "ü\u2003{KEY}" and ’ --password 𝄞secret {KEY}')
@example("\u212aapi_\u212aey = hunter2hunter2 basic dXNlcjpodW50ZXIyOm\u212aab")
def test_the_bytes_give_what_the_characters_give(rules: Rules, text: str) -> None:
    assert cleaned(text, rules, long=0) == cleaned(text, rules, long=1 << 40)


@given(TEXTS, st.sets(st.sampled_from(["sk-", "sk-ant-", "ia", "cookie:", "_", "", "://", "basic", "sig"])))
def test_needles_are_found_wherever_lower_case_text_has_them(text: str, needles: Iterable[str]) -> None:
    text = text.encode(errors="replace").decode()
    assert find_needles(text.encode(), needles) == {needle for needle in needles if needle in text.lower()}


@pytest.mark.parametrize("around", ["plain text. ", "more — than ASCII ’ ", "🙂"])
def test_secrets_are_taken_out_anywhere_in_long_text(around: str) -> None:
    filler = around * (600_000 // len(around))
    redactor = Redactor()
    text = f'{KEY} {filler} "password": "correct horse" {filler}\n{KEY}'
    part = redactor.part(SpanPart(bytes(16), bytes(8), input=text))
    marks = ("[redacted:anthropic-key]", "[redacted:name]")
    assert part.input == f'{marks[0]} {filler} "password": "{marks[1]}" {filler}\n{marks[0]}'
    assert redactor.counts == {"anthropic-key": 2, "name": 1}


def test_a_secret_may_be_most_of_a_long_text() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "aB3d\n" * 200_000 + "-----END PRIVATE KEY-----"
    assert Redactor().text(f"{key}\nafter") == "-----BEGIN PRIVATE KEY-----[redacted:private-key]\nafter"


def test_long_text_without_secrets_is_the_same_object() -> None:
    redactor = Redactor()
    for text in ("x" * 300_000, "a password and a bearer of news — " * 10_000):
        assert redactor.text(text) is text
    assert redactor.counts == {}
