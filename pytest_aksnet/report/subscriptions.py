"""Placeholders for the ids of Azure's subscriptions and tenants.

Such an id is a GUID, which says nothing of what it is the id of; a list of subscriptions holds it
without another word. So every GUID gets a placeholder, which is made of it by SHA-256: all
processes of a run, and all runs, have the same one for it. It is called subscription or tenant
where that is known from where it stood: behind /subscriptions/, or a word or two behind
"subscription" or "tenant". What is left of an id where a text was cut goes too.
"""

import hashlib
import re
from collections.abc import Iterable

_GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# In an address that is quoted, a slash is %2F, which ends like an id begins.
_ANY = re.compile(rf"(?:(?<![0-9a-f-])|(?<=%2f)){_GUID}(?![0-9a-f-])", re.IGNORECASE)
_BETWEEN = r"[^\w,;{}\[\]\n]"
_NAMED = re.compile(
    rf"(subscription|tenant|\btid\b|sts\.windows\.net|login\.[\w.]{{1,40}}\w(?=/))"
    rf"{_BETWEEN}{{0,8}}(?:\w{{1,12}}{_BETWEEN}{{1,4}}){{0,2}}?(?:2f)?({_GUID})(?![0-9a-f-])",
    re.IGNORECASE,
)
_CUT_AT_END = re.compile(
    rf"((?:subscriptions|tenants?)(?:/|%2F))(?!{_GUID}\Z)"
    r"[0-9a-f]{1,8}(?:-[0-9a-f]{0,12}){0,4}\Z",
    re.IGNORECASE,
)
_CUT_AT_GAP = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f-]{0,27}(?=\.\.\.)"
    r"|(?<=\.\.\.)[0-9a-f-]{0,23}-[0-9a-f]{12}(?![0-9a-f])",
    re.IGNORECASE,
)
_CUT = "[cut]"
_NOBODYS = "00000000-0000-0000-0000-000000000000"


class SubscriptionNames:
    """The placeholders of one process. Safe to share between threads."""

    def __init__(self, tenants: Iterable[str] = (), subscriptions: Iterable[str] = ()) -> None:
        self._known: dict[str, str] = {}
        self._halves: tuple[re.Pattern[str], ...] = ()
        for kind, ids in (("tenant", tenants), ("subscription", subscriptions)):
            for one in ids:
                if _ANY.fullmatch(one):
                    self._learn(kind, one)

    def hide(self, text: str) -> str:
        """The text with placeholders; what a cut left of an id goes too."""
        for found in _NAMED.finditer(text):
            kind = "subscription" if found[1].lower() == "subscription" else "tenant"
            self._learn(kind, found[2])
        hidden = _ANY.sub(lambda found: self._placeholder(found[0].lower()), text)
        hidden = _CUT_AT_GAP.sub(_CUT, hidden)
        for half in self._halves:
            hidden = half.sub(_CUT, hidden)
        return _CUT_AT_END.sub(rf"\1{_CUT}", hidden)

    def _placeholder(self, guid: str) -> str:
        return guid if guid == _NOBODYS else self._known.get(guid) or _named("id", guid)

    def _learn(self, kind: str, guid: str) -> None:
        guid = guid.lower()
        if guid == _NOBODYS or guid in self._known:
            return
        self._known[guid] = _named(kind, guid)
        first, last = guid[:8], guid[-12:]
        half = (
            rf"(?<![0-9a-f]){first}(?:-[0-9a-f]{{0,4}}){{0,3}}(?:-[0-9a-f]{{0,12}})?"
            rf"|(?:[0-9a-f]{{0,4}}-){{0,3}}(?<![0-9a-f]){last}(?![0-9a-f])"
        )
        self._halves = (*self._halves, re.compile(half, re.IGNORECASE))


def _named(kind: str, guid: str) -> str:
    return f"{kind}-{hashlib.sha256(guid.encode()).hexdigest()[:6]}"
