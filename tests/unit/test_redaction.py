"""What is kept as evidence carries no secret, no terminal code, and is bounded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.report.redaction import MAX_STREAM_CHARS, clean, one_line, redact

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6Ing.eyJpc3MiOiJrdWJlcm5ldGVzL3Nlc.c2lnbmF0dXJl"


def latin(data: bytes) -> str:
    """Bytes as the characters of the same numbers: control characters among them."""
    return data.decode("latin-1")


@pytest.mark.parametrize(
    ("text", "secret", "kept"),
    [
        (f"token {JWT} end", JWT, "token [redacted] end"),
        ("Authorization: Bearer abcdef", "abcdef", "Authorization: Bearer"),
        ("curl -H 'authorization: Basic dXNlcjpwYXNz' x", "dXNlcjpwYXNz", "' x"),
        ("a Bearer 0123456789abcdef0123", "0123456789abcdef0123", "a Bearer"),
        ("AccountKey=Zm9vYmFy;Next=1", "Zm9vYmFy", ";Next=1"),
        ("https://a.blob.core.windows.net/c?sv=1&sig=Ab%2Bc&se=2", "Ab%2Bc", "&se=2"),
        ("https://user:hunter22@host/", "hunter22", "@host/"),
        ('{"client_secret": "s3cr3tvalue", "a": 1}', "s3cr3tvalue", '"a": 1'),
        ("password=hunter22 next", "hunter22", " next"),
        (
            "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----\nafter",
            "MHcCAQ",
            "after",
        ),
    ],
)
def test_secrets_are_taken_out_and_the_rest_stays(text: str, secret: str, kept: str) -> None:
    assert secret not in redact(text)
    assert kept in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "curl: (28) Connection timed out after 1001 ms",
        "acct.blob.core.windows.net. 60 IN CNAME acct.privatelink.blob.core.windows.net.",
        "kubectl exec -n aksnet-1 pod -- curl http://10.0.0.1:8080/",
    ],
)
def test_ordinary_output_is_left_alone(text: str) -> None:
    assert clean(text) == text


def test_redacting_twice_changes_nothing() -> None:
    once = redact(f"Authorization: Bearer {JWT} password=hunter22")
    assert redact(once) == once


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m\x1b]0;title\x07 plain", "red plain"),
        ("\x1b]8;;http://evil\x1b\\link", "link"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("hidden\rshown", "hidden\\x0dshown"),
        ("a\x00b\x08c\x1bd\x9bmy\x7f", "a\\x00b\\x08c\\x1bd\\x9bmy\\x7f"),
        ("acct\u202etxt.exe\u2066", "acct\\u202etxt.exe\\u2066"),
        ("zero\u200bwidth\ufeff \u2028line", "zero\\u200bwidth\\ufeff \\u2028line"),
        ("half \ud800 of a pair", "half \\ud800 of a pair"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("gr\u00fc\u00dfe \u4e2d\u6587 \ufffd", "gr\u00fc\u00dfe \u4e2d\u6587 \ufffd"),
    ],
)
def test_what_a_terminal_does_not_show_is_escaped(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_a_secret_with_terminal_codes_in_it_is_one() -> None:
    assert "hunter22" not in clean("pass\x1b[0mword=hun\x1b[1mter22")


def test_long_output_keeps_head_and_tail_and_says_what_is_missing() -> None:
    text = clean("a" * 5000 + "b" * 4800 + " " + "b" * 199, limit=1000)
    assert len(text) < 1100
    assert text.startswith("aaa")
    assert text.endswith("b" * 199)
    assert "[9050 characters left out]" in text


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN PRIVATE KEY-----\n" + "MHcCAQ\n" * 999 + "-----END PRIVATE KEY-----",
        "MHcCAQ" * 9,
    ],
)
@pytest.mark.parametrize("before", range(0, 3000, 217))
def test_a_secret_that_reaches_into_the_gap_leaves_nothing(secret: str, before: int) -> None:
    text = "." * before + "\npassword=" + secret + "\n" + "." * (12000 - before)
    assert "MHcCAQ" not in clean(text, limit=2000)


@pytest.mark.parametrize(
    "part",
    [
        "-----BEGIN PRIVATE KEY-----",
        "-----END ",
        "eyJ-",
        "eyJaaaaaaaaa.",
        "a-",
        "a.",
        "://a:",
        "token= ",
        "authorization: basic ",
        "&sig=",
        "\x1b]",
        "\x1b[",
        "\u202e",
    ],
)
def test_no_text_costs_more_than_its_part(part: str) -> None:
    """Ten megabytes on one line, of what each pattern could begin at."""
    assert len(clean(part * (10_000_000 // len(part)))) < MAX_STREAM_CHARS + 300


@given(st.text(st.characters(codec=None), max_size=300) | st.binary(max_size=300).map(latin))
def test_whatever_comes_what_is_kept_can_be_shown_and_sent(text: str) -> None:
    kept = clean(text)
    assert kept.replace("\n", "").replace("\t", "").isprintable()
    assert json.loads(json.dumps(kept).encode("utf-8")) == kept
    assert one_line(text) == " ".join(one_line(text).split())


@given(st.text(max_size=400), st.integers(20, 100))
def test_the_limit_holds(text: str, limit: int) -> None:
    assert len(clean(text, limit)) <= limit + 130
