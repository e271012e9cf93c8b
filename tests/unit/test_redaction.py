"""What is kept as evidence carries no secret, no terminal code, and is bounded."""

import pytest

from pytest_aksnet.report.redaction import clean, redact

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6Ing.eyJpc3MiOiJrdWJlcm5ldGVzL3Nlc.c2lnbmF0dXJl"


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


def test_terminal_codes_go() -> None:
    assert clean("\x1b[1;31mred\x1b[0m\x1b]0;title\x07 \x00plain") == "red plain"


def test_long_output_keeps_head_and_tail_and_says_what_is_missing() -> None:
    text = clean("a" * 5000 + "b" * 5000, limit=1000)
    assert len(text) < 1100
    assert text.startswith("aaa")
    assert text.endswith("bbb")
    assert "[9000 characters left out]" in text
