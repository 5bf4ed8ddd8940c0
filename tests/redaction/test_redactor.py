"""Secrets never pass: by name, by shape, anywhere in a part; ordinary text passes whole."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.protocol.records import Event, Link, SpanPart, TraceInfo
from traceview.redaction import DEFAULT_RULES, Redactor, RuleError, Rules
from traceview.redaction.scanner import Scanner, scanner_for
from traceview.testing import build_trace

_HEX = "0123456789abcdef" * 8
_ABC = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA" * 4

# Made up, in the shapes that the issuers document.
SECRETS = {
    "anthropic-key": "sk-ant-api03-" + _ABC[:40],
    "openai-key": "sk-proj-" + _ABC[:48],
    "openrouter-key": "sk-or-v1-" + _HEX[:64],
    "langfuse-key": "sk-lf-" + "01234567-89ab-cdef-0123-456789abcdef",
    "google-api-key": "AIza" + _ABC[:35],
    "huggingface-token": "hf_" + _ABC[:34],
    "groq-key": "gsk_" + _ABC[:52],
    "perplexity-key": "pplx-" + _ABC[:48],
    "langsmith-key": "lsv2_pt_" + _HEX[:32] + "_" + _HEX[:10],
    "tavily-key": "tvly-" + _ABC[:32],
    "aws-access-key-id": "AKIA" + "IOSFODNN7EXAMPLE"[:16].replace("7", "A"),
    "azure-account-key": "AccountKey=" + (_ABC * 2)[:86] + "==",
    "google-oauth-token": "ya29." + _ABC[:40],
    "github-token": "ghp_" + _ABC[:36],
    "github-fine-token": "github_pat_" + _ABC[:70],
    "gitlab-token": "glpat-" + _ABC[:20],
    "npm-token": "npm_" + _ABC[:36],
    "pypi-token": "pypi-AgE" + _ABC[:60],
    "slack-token": "xoxb-" + "123456789012-abcdefGHIJ",
    "slack-webhook": "https://hooks.slack.com/services/" + _ABC[:44],
    "discord-webhook": "https://discord.com/api/webhooks/123456789012345678/" + (_ABC * 2)[:68],
    "stripe-key": "sk_live_" + _ABC[:24],
    "sendgrid-key": "SG." + _ABC[:22] + "." + _ABC[:43],
    "twilio-key": "SK" + _HEX[:32],
    "telegram-token": "123456789:AA" + _ABC[:33],
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "bearer-token": "Bearer " + _ABC[:30],
    "basic-auth": "Basic dXNlcjpodW50ZXIyaHVudGVy",
    "private-key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow" + _ABC + "\n-----END RSA PRIVATE KEY-----",
    "url-password": "postgresql://app:hunter2@db.example/orders",
    "credit-card": "4111 1111 1111 1111",
    "signed-url": "https://store.example/blob?sv=2&sig=" + _ABC[:43] + "%3D",
    "cookie": "Cookie: theme=dark; sid=" + _ABC[:20],
}


def _essence(secret: str) -> str:
    """What must not be found again: the longest word of the secret."""
    return max(secret.replace("//app:", " ").replace("@", " ").split(), key=len)[-16:]


@pytest.mark.parametrize("name", SECRETS)
def test_every_shape_is_taken_out_of_text_and_named(name: str) -> None:
    redactor = Redactor()
    cleaned = redactor.text(f"before {SECRETS[name]} after")
    assert f"[redacted:{name}]" in cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after") or name == "cookie"  # a header goes to the end of its line
    if name not in ("url-password", "credit-card"):
        assert _essence(SECRETS[name]) not in cleaned
    assert redactor.counts[name] == 1


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "place",
    [
        "input", "output", "attributes", "resource", "events", "event name", "links", "metadata", "tags", "user",
        "span name", "kind", "reasoning", "json text", "a key", "bytes", "deep", "extension", "parent id", "linked ids",
    ],
)  # fmt: skip
def test_a_secret_is_found_wherever_it_lies_in_a_part(name: str, place: str) -> None:
    secret = SECRETS[name]
    nested: Any = {"deep": [{"messages": [{"role": "user", "content": f"use {secret} please"}]}]}
    part = build_trace("call").parts[0]
    part = {
        "input": lambda: msgspec.structs.replace(part, input=nested),
        "output": lambda: msgspec.structs.replace(part, output=f"x {secret}"),
        "attributes": lambda: msgspec.structs.replace(part, attributes=nested),
        "events": lambda: msgspec.structs.replace(part, events=(Event(1, "log", nested),)),
        "resource": lambda: msgspec.structs.replace(part, resource={"process.command_line": f"x {secret}"}),
        "event name": lambda: msgspec.structs.replace(part, events=(Event(1, f"sent {secret}"),)),
        "links": lambda: msgspec.structs.replace(part, links=(Link(b"t" * 16, b"s" * 8, nested),)),
        "tags": lambda: msgspec.structs.replace(part, trace=TraceInfo(tags=("a", f"b {secret}"))),
        "user": lambda: msgspec.structs.replace(part, trace=TraceInfo(user=f"u {secret}")),
        "span name": lambda: msgspec.structs.replace(part, name=f"POST {secret}"),
        "kind": lambda: msgspec.structs.replace(part, kind=secret),
        "extension": lambda: msgspec.structs.replace(part, input=[msgspec.msgpack.Ext(5, f"x {secret}".encode())]),
        "parent id": lambda: msgspec.structs.replace(part, parent_id=secret.encode()),
        "linked ids": lambda: msgspec.structs.replace(part, links=(Link(secret.encode(), f"s {secret}".encode()),)),
        "a key": lambda: msgspec.structs.replace(part, attributes={f"k {secret}": 1}),
        "bytes": lambda: msgspec.structs.replace(part, input=f"x {secret}".encode()),
        "deep": lambda: msgspec.structs.replace(part, input=_deep(secret, 200)),
        "metadata": lambda: msgspec.structs.replace(part, trace=TraceInfo(metadata=nested)),
        "reasoning": lambda: msgspec.structs.replace(part, reasoning=f"because {secret}"),
        "json text": lambda: msgspec.structs.replace(part, input=json.dumps(nested)),
    }[place]()
    raw = msgspec.msgpack.encode(part)
    redactor = Redactor()
    assert redactor.suspicious(raw)
    cleaned = redactor.part(part)
    kept = msgspec.msgpack.encode(cleaned)
    assert _core(secret) not in kept
    assert cleaned.attributes["traceview.redacted"] >= 1
    assert (cleaned.trace_id, cleaned.span_id) == (part.trace_id, part.span_id)
    assert redactor.part(cleaned) == cleaned
    assert msgspec.msgpack.decode(kept, type=SpanPart) == cleaned


def _deep(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def _core(secret: str) -> bytes:
    if secret.startswith("postgresql"):
        return b"hunter2"
    if secret.startswith("-----"):
        return b"MIIEow"
    if secret.startswith("https:"):
        return _ABC[:40].encode()
    return secret.split()[-1][-12:].encode()


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "apiKey",
        "OPENAI_API_KEY",
        "client-secret",
        "http.request.header.authorization",
        "Set-Cookie",
        "dbPassword",
        "PGPASSWORD",
        "XApiKey",
        "api  key",
        "OAuthToken",
    ],
)
def test_a_value_under_a_secret_name_is_taken_out(key: str) -> None:
    part = SpanPart(b"t" * 16, b"s" * 8, attributes={key: "correct horse", "other": "stays"})
    cleaned = Redactor().part(part)
    assert cleaned.attributes == {key: "[redacted:name]", "other": "stays", "traceview.redacted": 1}


@pytest.mark.parametrize(
    "text",
    [
        '{"api_key": "abcdef-ghij"}',
        '{\\"api_key\\": \\"abcdef-ghij\\"}',
        "OPENAI_API_KEY=abcdef-ghij",
        "?user=me&password=abcdef-ghij&x=1",
        "X-Api-Key: abcdef-ghij1",
        '{"a": "{\\"b\\": \\"{\\\\\\"api_key\\\\\\": \\\\\\"abcdef-ghij\\\\\\"}\\"}"}',
        """{"password": "don't tell abcdef-ghij"}""",
        "{'password': 'a \"quoted\" abcdef-ghij'}",
        r'{"password": "back\slash abcdef-ghij"}',
        "run --db-password abcdef-ghij --verbose",
        "run --password 'with spaces abcdef-ghij'",
        "PGPASSWORD=abcdef-ghij psql",
    ],
)
def test_names_are_found_inside_text(text: str) -> None:
    cleaned = Redactor().text(text)
    assert "abcdef-ghij" not in cleaned
    assert "tell" not in cleaned
    assert "[redacted:name]" in cleaned


@pytest.mark.parametrize("key", [b"X-Api-Key", ("request", "password"), "secret"])
@pytest.mark.parametrize("value", ["hunter2", b"hunter2", ["hunter2"], msgspec.msgpack.Ext(1, b"hunter2")])
def test_names_count_whatever_they_and_their_values_are_made_of(key: Any, value: Any) -> None:
    assert Redactor().values({"deep": {key: value, b"k": b"v"}}) == {"deep": {key: "[redacted:name]", b"k": b"v"}}


def test_headers_in_lists_of_pairs_are_known_by_their_name() -> None:
    headers = [[b"host", b"example.org"], (b"x-api-key", b"hunter2"), ["set-cookie", "theme"]]
    cleaned = Redactor().values({"headers": headers, "columns": ["password", "email"]})
    assert cleaned == {
        "headers": [headers[0], (b"x-api-key", "[redacted:name]"), ["set-cookie", "[redacted:name]"]],
        "columns": ["password", "email"],
    }


def test_arguments_and_headers_in_pairs_are_known_by_their_name() -> None:
    part = SpanPart(
        b"t" * 16,
        b"s" * 8,
        input={"headers": [{"name": "Cookie", "value": "theme"}, {"name": "Accept", "value": "text"}]},
        resource={"process.command_args": ["run", "--api-key", "hunter2", "--verbose", "--password", "-x"]},
    )
    cleaned = Redactor().part(part)
    assert cleaned.input == {
        "headers": [{"name": "Cookie", "value": "[redacted:name]"}, {"name": "Accept", "value": "text"}]
    }
    assert cleaned.resource == {
        "process.command_args": ["run", "--api-key", "[redacted:name]", "--verbose", "--password", "-x"]
    }


@pytest.mark.parametrize(
    "before", ["キーは", "ключ", "task-", "task-sk-", "disk-is-full-", "é", "_", "sk-ant-short "], ids=ascii
)
def test_a_key_is_found_whatever_touches_it(before: str) -> None:
    secret = SECRETS["anthropic-key"]
    assert secret[-20:] not in Redactor().text(f"{before}{secret}です")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("card 4111 1111 1111 1111.", "card [redacted:credit-card]."),
        ("4111-1111-1111-1111, please", "[redacted:credit-card], please"),
        ("4111 1111 1111 1111 123 is", "[redacted:credit-card] 123 is"),
        ("卡号4111111111111111。", "卡号[redacted:credit-card]。"),
        ("3782 822463 10005", "[redacted:credit-card]"),
        ("2223003122003222", "[redacted:credit-card]"),
        ("é 2026-11-28 4111111111111111", "é 2026-11-28 [redacted:credit-card]"),
        ("2 4111 1111 1111 1111", "2 [redacted:credit-card]"),
        ("4111111111111111 5500005555555559 7", "[redacted:credit-card] [redacted:credit-card] 7"),
        ("2453 4111 1111 1111 1111 6011", "2453 4111 1111 1111 1111 6011"),  # a row of a table
    ],
)
def test_card_numbers_are_told_from_what_surrounds_them(text: str, left: str) -> None:
    assert Redactor().text(text) == left
    long = "ü " * 200_000  # so much is searched by its bytes
    assert Redactor().text(long + text) == long + left


@pytest.mark.parametrize(
    "text",
    [
        "task-management-is-a-long-word-in-css",
        "the secret: nobody knows it well",
        "use the token wisely; password policy: at least twelve characters",
        "span 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "1790000000000000000 and 4111 1111 1111 1112 and 3.14159265358979323846",
        "0.4111111111111111, -0.5500000000000004, 4111111111111111-41 and a4111111111111111",
        "tokens 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "basic functionality and Basic Understanding",
        "cookie: a small cake; --password-policy strict",
        "https://example.org:8080/path@here?x=1",
        "max_tokens: 4096, input_tokens=812",
        "risk-adjusted-return-on-capital-employed-2026",
    ],
)
def test_ordinary_text_stays_whole(text: str) -> None:
    assert Redactor().text(text) is text


def test_counts_of_tokens_are_no_secrets() -> None:
    part = SpanPart(b"t" * 16, b"s" * 8, attributes={"max_tokens": 4096, "access_token": 7, "password": None})
    assert Redactor().part(part) is part


def test_a_part_without_secrets_is_the_same_object() -> None:
    part = build_trace("call").parts[0]
    assert Redactor().part(part) is part


def test_redacting_twice_changes_nothing_more() -> None:
    redactor = Redactor()
    once = redactor.text("key " + SECRETS["openai-key"] + ' {"password": "hunter22"}')
    assert redactor.text(once) == once


def test_e_mail_addresses_are_taken_out_when_asked() -> None:
    text = "write to ada@example.org"
    assert Redactor().text(text) is text
    assert Redactor(Rules(emails=True)).text(text) == "write to [redacted:e-mail]"


@pytest.mark.parametrize("name", ["url-password", "slack-webhook", "discord-webhook"])
def test_urls_are_known_in_json_that_escapes_slashes_too(name: str) -> None:
    text = json.dumps({"url": f"{SECRETS[name]}/"}).replace("/", "\\/")
    cleaned = Redactor().text(text)
    assert f"[redacted:{name}]" in cleaned
    assert "hunter2" not in cleaned
    assert _ABC[:40] not in cleaned


def test_own_patterns_are_found_in_bytes_too() -> None:
    redactor = Redactor(Rules().with_patterns({"größe": "(?i)größe[0-9]+"}))
    assert redactor.values({"a": "GRÖẞE GRÖßE12".encode(), "b": b"\xff"}) == {
        "a": "GRÖẞE [redacted:größe]",
        "b": b"\xff",
    }


def test_own_patterns_come_first_and_match_anywhere() -> None:
    redactor = Redactor(DEFAULT_RULES.with_patterns({"customer": r"C-[0-9]{6}", "town": "Z[üÜ]rich"}))
    assert redactor.text("see ABC-123456 in Zürich") == "see AB[redacted:customer] in [redacted:town]"
    assert redactor.suspicious(msgspec.msgpack.encode(["Zürich"]))
    assert redactor.counts == {"customer": 1, "town": 1}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^C-[0-9]$", "C-7"),
        (r"\AC-[0-9]\z", "C-7"),
        (r"\bC-[0-9]+\b", "C-7"),
        (r"(?m)^C-[0-9]", "x\nC-7"),
        ("^[^a-z]-[0-9]$", "C-7"),
        (r"[]^$]7$", "^7"),
        (r"C\$[\]0-9]", "C$7"),
        ("(?:^)*C-7", "C-7"),
        (r"\Q^C\E7", "^C7"),
        ("^.{3}$", "C-7"),
        ("[[:upper:]^]-7$", "C-7"),
        ("^*C-7", "C-7"),
    ],
)
def test_own_patterns_may_say_where_a_text_begins_and_ends(pattern: str, text: str) -> None:
    redactor = Redactor(DEFAULT_RULES.with_patterns({"own": pattern}))
    part = SpanPart(b"t" * 16, b"s" * 8, input=text)
    assert redactor.part(part).input.endswith("[redacted:own]")
    # In encoded bytes it doesn't begin or end anywhere: the byte before it is its length, whatever letter that is.
    assert redactor.suspicious(b"9" + text.encode() + b"a")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "'own' is not a regular expression: missing"),
        (r"(?<=x)y", "'own' is not a regular expression"),
        ("x*", "'own' matches empty text"),
    ],
)
def test_own_patterns_that_cannot_be_used_are_named(pattern: str, why: str, capfd: Any) -> None:
    with pytest.raises(RuleError, match=why):
        DEFAULT_RULES.with_patterns({"own": pattern})
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kept", ["cookie", "Set-Cookie", "chocolateCookie"])
def test_names_can_be_kept(kept: str) -> None:
    redactor = Redactor(Rules(keep_names=frozenset({kept})))
    part = SpanPart(b"t" * 16, b"s" * 8, attributes={kept: "chocolate", "t": f"{kept}=chocolate", "password": "x"})
    cleaned = redactor.part(part)
    assert cleaned.attributes == {**part.attributes, "password": "[redacted:name]", "traceview.redacted": 1}


def test_shapes_can_be_kept() -> None:
    redactor = Redactor(Rules(keep_names=frozenset({"credit-card"})))
    assert redactor.text("4111 1111 1111 1111") == "4111 1111 1111 1111"


def test_a_map_is_cleaned_like_a_part() -> None:
    redactor = Redactor()
    resource = {"host.name": "h", "process.command_line": "run --token-file x --api-key hunter2"}
    assert redactor.values(resource)["process.command_line"].endswith("--api-key [redacted:name]")
    assert redactor.values({"host.name": "h"}) == {"host.name": "h"}
    assert redactor.counts == {"name": 1}


def test_text_that_is_no_utf8_is_cleaned_too() -> None:
    redactor = Redactor()
    assert "hunter" not in redactor.text("odd \ud800 password=hunter2")
    assert redactor.text("odd \ud800 text") == "odd \ud800 text"
    part = SpanPart(b"t" * 16, b"s" * 8, input={"odd \ud800": "password=hunter2"})
    assert "hunter" not in str(redactor.part(part).input)


def test_what_is_nested_too_deeply_to_be_looked_at_goes() -> None:
    redactor = Redactor()
    cleaned = redactor.part(SpanPart(b"t" * 16, b"s" * 8, input=_deep("hunter2", 200_000)))
    assert _flat(cleaned.input) == "[redacted:depth]"
    assert redactor.counts == {"depth": 1}


def _flat(value: Any) -> Any:
    while isinstance(value, list):
        value = value[0]
    return value


@pytest.mark.parametrize(
    "piece",
    ["pwd:", "pwd=", "-pwd ", "sk-", '"pwd": "', "pwd\\", "cookie: a=", "4", "4 ", "a.", "bearer ", "eyJ.", "@"],
)
def test_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    redactor = Redactor(Rules(emails=True).with_patterns({"own": "(a+)+$", "more": "(x|xx)*y"}))
    text = "password=1234567 a://b " + piece * (200_000 // len(piece)) + " b://c"
    started = time.process_time()
    redactor.text(text)
    assert time.process_time() - started < 2


@given(
    st.recursive(
        st.none() | st.text() | st.integers() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_value_ever_breaks_it(value: Any) -> None:
    redactor = Redactor()
    part = SpanPart(b"t" * 16, b"s" * 8, input=value, attributes={"v": value})
    assert redactor.part(part).span_id == b"s" * 8


@given(st.sampled_from(sorted(SECRETS)), st.text(max_size=40), st.text(max_size=40))
def test_what_the_fast_scan_passes_holds_no_shape(name: str, before: str, after: str) -> None:
    """The scan of encoded bytes may cry wolf; it never overlooks what the careful pass finds."""
    text = f"{before} {SECRETS[name]} {after}"
    assert Redactor().suspicious(msgspec.msgpack.encode({"k": text.encode(errors="replace")}))


_PIECES = ["-----BEGIN PRIVATE KEY-----", "a://b:", "Cookie: a=", "x@y.z", "C-1", "4111"]
_RECORDS = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(msgspec.msgpack.encode),
        st.sampled_from([*SECRETS.values(), *_PIECES]).map(msgspec.msgpack.encode),
    )
)


@given(_RECORDS, st.booleans())
def test_one_scan_of_a_body_alarms_for_every_record_that_would_alone(records: list[bytes], linear: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if not linear:
            patch.setitem(sys.modules, "re2", None)
        scanner = Scanner(Rules(emails=True).with_patterns({"own": "C-[0-9]"})) if not linear else _LINEAR
        alarms = scanner.alarms(memoryview(b"".join(records)))
        start = 0
        for record in records:
            assert alarms.within(start, start + len(record)) >= scanner.suspicious(record)
            start += len(record)


_LINEAR = Scanner(Rules(emails=True).with_patterns({"own": "C-[0-9]"}))
_WORDS = ["password", "Password", "api", "Api", "KEY", "key", "my", "_", "-", ".", " ", "set", "Cookie", "x", "9", "é"]


@given(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=6).map("".join))
def test_the_fast_scan_never_overlooks_a_secret_name(key: str) -> None:
    redactor = Redactor()
    part = SpanPart(b"t" * 16, b"s" * 8, attributes={key: "hunter2"})
    assert redactor.suspicious(msgspec.msgpack.encode(part)) or not scanner_for(DEFAULT_RULES).secret_name(key)


@pytest.fixture
def without_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)


@pytest.mark.parametrize("name", SECRETS)
def test_without_re2_the_same_is_found(name: str, without_re2: None) -> None:
    scanner = Scanner(DEFAULT_RULES.with_patterns({"town": "Z[üÜ]rich"}))
    found: Counter[str] = Counter()
    cleaned = scanner.cleaned(f"鍵{SECRETS[name]}です in Zürich", found)
    assert scanner.suspicious(msgspec.msgpack.encode([SECRETS[name]]))
    assert scanner.suspicious(msgspec.msgpack.encode(["Zürich"]))
    assert cleaned == Redactor(DEFAULT_RULES.with_patterns({"town": "Z[üÜ]rich"})).text(
        f"鍵{SECRETS[name]}です in Zürich"
    )
    assert found[name] == 1


def test_without_re2_bad_patterns_are_named_too(without_re2: None) -> None:
    with pytest.raises(RuleError, match="'own' is not a regular expression"):
        DEFAULT_RULES.with_patterns({"own": "("})
