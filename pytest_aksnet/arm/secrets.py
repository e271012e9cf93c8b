"""Cuts out of ARM's answers what nobody is to read in a report: keys, passwords, tokens. Pure.

ARM gives secrets away by other operations than those that are asked here, mostly; this does not
rest on that. Ids of subscriptions stay: reports cut them out where they are asked to.
"""

import json
import re
import urllib.parse

CUT_OUT = "[cut out]"
# Fields whose value is a secret, in any case, whole or as the end of a longer name.
_ENDINGS = (
    *("password", "passwd", "secret", "secretvalue", "token", "privatekey", "sharedkey"),
    *("accountkey", "accesskey", "primarykey", "secondarykey", "instrumentationkey", "apikey"),
    *("authorizationkey", "connectionstring", "connectionstrings", "sasuri", "sasurl", "sas"),
)
_WHOLE = ("keys", "key1", "key2", "kubeconfigs", "customdata", "userdata", "protectedsettings")
_SUSPECT = re.compile(rf'(?i)(?:{"|".join(_ENDINGS)}|"(?:{"|".join(_WHOLE)}))"\s*:')
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?", re.ASCII)
# Of shared access signatures, and of the links to long-running operations.
_SIGNATURES = frozenset({"sig", "c", "s", "h", "t"})
_LONGEST_VALUE = 500
_IN_TEXT = re.compile(r"(?i)([?&;](?:sig|c|s|h|t)=)[^&\s\"']+")


def cut_body(text: str) -> str:
    """A body without secrets; as it came where it has none."""
    if _SUSPECT.search(text):
        try:
            text = json.dumps(_without(json.loads(text)), ensure_ascii=False)
        except (ValueError, RecursionError):
            # A field that may be a secret, in what cannot be read: nothing of it is safe to keep.
            return CUT_OUT
    return cut_words(text)


def cut_words(text: str) -> str:
    """Text without tokens and signatures."""
    return _IN_TEXT.sub(rf"\1{CUT_OUT}", _TOKEN.sub(CUT_OUT, text))


def cut_url(url: str) -> str:
    """Path and query of a URL, without signatures and what is too long to be read."""
    parts = urllib.parse.urlsplit(url)
    query = [
        name if not equals else f"{name}={CUT_OUT if _is_signature(name, value) else value}"
        for name, equals, value in (one.partition("=") for one in parts.query.split("&"))
    ]
    return urllib.parse.urlunsplit(("", "", parts.path, "&".join(query), ""))


def _is_signature(name: str, value: str) -> bool:
    return name.casefold() in _SIGNATURES or len(value) > _LONGEST_VALUE


def _without(value: object) -> object:
    if isinstance(value, list):
        return [_without(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: CUT_OUT if _is_secret(str(name), one) else _without(one)
        for name, one in value.items()
    }


def _is_secret(name: str, value: object) -> bool:
    if not value or isinstance(value, bool | int | float):
        return False
    folded = name.casefold()
    return folded in _WHOLE or folded.endswith(_ENDINGS)
