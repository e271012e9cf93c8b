"""What a URL of ARM names. Pure.

/subscriptions/S[/resourceGroups/G]/providers/NAMESPACE/TYPE[/NAME[/TYPE[/NAME]...]], in any case
("Azure docs: resource-name-rules": comparisons ignore it).
"""

import datetime
import re
from dataclasses import dataclass

from pytest_aksnet.lab.arm import errors
from pytest_aksnet.lab.arm.ids import same

_VERSION = re.compile(r"(\d{4})-(\d{2})-(\d{2})(-[a-z]+)?", re.IGNORECASE)
_FIRST_VERSION = datetime.date(2014, 4, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A resource, a list of them, or an action of one.

    `types` and `names` alternate in the path: as many names name one resource; with one type more
    it is a list or an action. Without `namespace` it is the group or the subscription.
    `scope` is the path before an extension's provider, such as .../Microsoft.Insights/metrics; ""
    without one.
    """

    subscription: str
    group: str = ""
    namespace: str = ""
    types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    scope: str = ""

    @property
    def is_one(self) -> bool:
        """Whether it names one resource."""
        return bool(self.types) and len(self.types) == len(self.names)

    @property
    def kind(self) -> str:
        """The full type: Microsoft.Network/virtualNetworks/subnets."""
        return "/".join((self.namespace, *self.types))


def parse_path(path: str) -> Target | None:
    """What a path names; None where it is none of ARM's."""
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) < 2 or not same(segments[0], "subscriptions"):
        return None
    subscription, rest = segments[1], segments[2:]
    group = ""
    if rest and same(rest[0], "resourceGroups"):
        if len(rest) == 1:
            return Target(subscription=subscription, types=("resourceGroups",))
        group, rest = rest[1], rest[2:]
    if not rest:
        return Target(subscription=subscription, group=group)
    if not same(rest[0], "providers"):
        return None
    last = max(index for index, segment in enumerate(rest) if same(segment, "providers"))
    scope = "/".join(["", *segments[: len(segments) - len(rest) + last]]) if last else ""
    provider = rest[last + 1 :]
    if not provider:
        return Target(subscription=subscription, group=group, types=("providers",))
    namespace, *pairs = provider
    return Target(
        subscription=subscription,
        group=group,
        namespace=namespace,
        types=tuple(pairs[::2]),
        names=tuple(pairs[1::2]),
        scope=scope,
    )


def check_version(version: str | None, today: datetime.date) -> str:
    """The api-version. Raises ArmError where there is none, or none that could be.

    Which versions each provider has, the lab does not know: every date that can be one passes.
    """
    if not version:
        raise errors.bad_request(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    found = _VERSION.fullmatch(version)
    try:
        year, month, day = (int(number) for number in found.groups()[:3]) if found else (0, 0, 0)
        date = datetime.date(year, month, day)
    except ValueError:
        date = datetime.date.min
    if not _FIRST_VERSION <= date <= today:
        raise errors.bad_request(
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are dates from "
            f"'{_FIRST_VERSION}' on.",
        )
    return version
