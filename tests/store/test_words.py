"""What one types to find text: words, phrases, beginnings; nothing a user can type is taken for anything else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from traceview.store.driver import driver
from traceview.store.words import MOST_CHARACTERS, WordsError, composed, folded, parse_words, tokens


def found(query: str, text: str) -> bool:
    """Whether every term of the query stands in the text."""
    shape = folded(composed(text))
    return all(term.search(shape) for term in parse_words(query))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("refund", "A Refund, please"),
        ("REFUND please", "please: the refund"),
        ('"lost parcel"', "my lost\n parcel"),
        ('"lost parcel', "my lost-parcel"),
        ("refun*", "refunded"),
        ('"lost par*', "lost parcels"),
        ('"lost par"*', "lost parcels"),
        ("gpt-4o", "model gpt-4o-mini"),
        ("max_tokens", "{max_tokens: 5}"),
        ("foo@bar.com", "mail <foo@bar.com>"),
        ("4711", "order #4711!"),
        ("(refund)", "refund"),
        ("cafe", "Café"),
        ("café", "CAFE\u0301"),
        ("ｆｕｌｌ", "full width"),
        ("größe", "GRÖSSE Größe"),
        ("退款", "我要退款。"),
        ("退款 政策", "退款政策"),
        ("ขอคืน", "ฉันขอคืนเงิน"),
        ("हिन्दी", "यह हिन्दी है"),
        ("한국어", "한국어 텍스트"),
        ("AND", "this and that"),
        ("NEAR(a b)", "near a b"),
        ("x*", "x"),
    ],
)
def test_what_is_found(query: str, text: str) -> None:
    assert found(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("refund", "refunded"),
        ("fund", "refund"),
        ("refund lost", "a refund"),
        ('"lost parcel"', "parcel lost"),
        ('"lost parcel"', "lost a parcel"),
        ("gpt-4", "gpt-4o"),
        ("退政", "退款政策"),
        ("한국", "한국어"),
        ("fun*", "refund"),
    ],
)
def test_what_is_not_found(query: str, text: str) -> None:
    assert not found(query, text)


@pytest.mark.parametrize("query", ["", "  ", "*", '"', '""', "***", "-", "()", "…", '"!" ?', "\x00"])
def test_nothing_to_look_for_is_told(query: str) -> None:
    with pytest.raises(WordsError, match="write what to look for"):
        parse_words(query)


def test_too_much_to_look_for_is_told() -> None:
    with pytest.raises(WordsError, match="at most 1000 characters"):
        parse_words("a" * (MOST_CHARACTERS + 1))
    with pytest.raises(WordsError, match="at most 32 words"):
        parse_words(" ".join(f"w{number}" for number in range(33)))


def test_a_term_that_comes_twice_counts_once() -> None:
    assert [term.typed for term in parse_words('Refund refund "refund" refund*')] == ["Refund", "refund*"]


@given(st.text(max_size=300), st.text(max_size=300))
def test_nothing_typed_ever_fails_or_is_syntax_and_the_index_finds_all_that_is_there(query: str, text: str) -> None:
    """The index gives every text that has the terms; the search looks again at what it gives."""
    try:
        terms = parse_words(query)
    except WordsError:
        return
    connection = driver().connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE w USING fts5(t, content='', detail=none, tokenize='ascii')")
        for number, said in enumerate((text, f"{text} {query}", query), 1):
            shape = folded(composed(said))
            assert len(shape) == len(composed(said))
            connection.execute("INSERT INTO w(rowid, t) VALUES (?, ?)", (number, tokens(shape)))
            for term in terms:
                rows = connection.execute("SELECT rowid FROM w WHERE w MATCH ?", (term.in_fts(),)).fetchall()
                assert term.search(shape) is None or (number,) in rows
    finally:
        connection.close()


@given(st.text(max_size=100), st.text(max_size=20))
def test_a_text_is_found_by_itself(text: str, more: str) -> None:
    try:
        terms = parse_words(f'"{text.replace(chr(34), " ")}"')
    except WordsError:
        return
    assert terms[0].search(folded(composed(f"{more} {text} {more}")))


def test_very_long_words_and_texts_are_no_trouble() -> None:
    shape = folded("a" * 100_000 + " b")
    (term,) = parse_words("a" * 900 + "*")
    assert term.search(shape)
    assert parse_words("b")[0].search(shape)


@example("".join(map(chr, range(0xC0, 0xE0))), 400, "")
@given(
    st.text(st.characters(exclude_categories=[]), max_size=40), st.sampled_from([0, 1, 40, 400]), st.text(max_size=5)
)
def test_a_text_is_folded_character_by_character_however_much_of_it_is_ascii(text: str, filler: int, end: str) -> None:
    whole = text + "Any “Text” " * filler + end
    assert folded(whole) == "".join(folded(character) for character in whole)
