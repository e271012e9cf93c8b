"""What must not come into a report is cut out of bodies, URLs and words; the rest stays."""

import json

import pytest

from pytest_aksnet.arm.secrets import CUT_OUT, cut_body, cut_url, cut_words

_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2EifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("adminPassword", "hunter2hunter2"),
        ("access_token", "opaque"),
        ("secret", "x"),
        ("primaryConnectionString", "Endpoint=sb://x;SharedAccessKey=abc"),
        ("connectionStrings", [{"value": "abc"}]),
        ("keys", [{"keyName": "key1", "value": "abc=="}]),
        ("kubeconfigs", [{"name": "u", "value": "abc"}]),
        ("sharedKey", "abc"),
        ("customData", "abc"),
    ],
)
def test_fields_are_cut_by_their_name(name: str, value: object) -> None:
    body = json.dumps({"value": [{"properties": {name: value, "name": "stays"}}]})
    cut = json.loads(cut_body(body))
    assert cut == {"value": [{"properties": {name: CUT_OUT, "name": "stays"}}]}


def test_what_is_no_secret_stays_to_the_letter() -> None:
    body = """{ "addonProfiles":{"azureKeyvaultSecretsProvider":{"enabled": true,
      "config":{"enableSecretRotation":"false"}}}, "keyId": "https://v/keys/k",
      "disableSharedKey": false, "password": null, "nextLink": "https://x/?$skipToken=abc" }"""
    assert json.loads(cut_body(body)) == json.loads(body)
    plain = '{"a" :  "b"}'
    assert cut_body(plain) == plain


def test_a_body_that_is_no_json_but_may_hold_a_secret_is_not_kept() -> None:
    assert cut_body('{"password": "abc"') == CUT_OUT
    assert cut_body("<html>no json</html>") == "<html>no json</html>"


def test_tokens_and_signatures_are_cut_anywhere() -> None:
    assert cut_body(json.dumps({"note": f"it is {_TOKEN}."})) == f'{{"note": "it is {CUT_OUT}."}}'
    assert cut_words(f"Bearer {_TOKEN}") == f"Bearer {CUT_OUT}"
    said = cut_words("GET https://x/blob?sv=2024&sig=abc%2F= failed")
    assert said == f"GET https://x/blob?sv=2024&sig={CUT_OUT} failed"


def test_urls_lose_their_host_and_signatures() -> None:
    url = "https://management.azure.com/subscriptions/s/x?api-version=1&t=638&c=MII&s=ab&h=cd"
    assert cut_url(url) == f"/subscriptions/s/x?api-version=1&t={CUT_OUT}&c={CUT_OUT}&" + (
        f"s={CUT_OUT}&h={CUT_OUT}"
    )
    assert cut_url("https://a/b") == "/b"
    assert cut_url(f"https://a/b?$skipToken={'x' * 501}") == f"/b?$skipToken={CUT_OUT}"
