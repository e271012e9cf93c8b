"""Versions as an upgrade sees them: which are supported, how far apart, and what goes with what.

Pure. Sources: AKS docs supported-kubernetes-versions (read 2026-11-21), azure-cni-powered-by-cilium
and configure-kube-proxy; Kubernetes docs, Version Skew Policy.
"""

import datetime
import re
from collections.abc import Mapping

from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.verdict import Outcome, Verdict

Minor = tuple[int, int]

_SUPPORTED = "AKS docs: supported-kubernetes-versions"
_SKEW = "Kubernetes docs: Version Skew Policy"
_PAIRS = "AKS docs: azure-cni-powered-by-cilium, configure-kube-proxy"
LONG_TERM = "AKSLongTermSupport"
# The last day of each minor on AKS; older ones have ended.
_ENDS: Mapping[Minor, datetime.date] = {
    (1, 34): datetime.date(2026, 11, 30),
    (1, 35): datetime.date(2027, 3, 31),
    (1, 36): datetime.date(2027, 6, 30),
}
_SOON = datetime.timedelta(days=92)
_LONGER = 365
_MOST_BEHIND = 3
# The first Cilium that AKS ships with each minor.
_CILIUM: Mapping[Minor, tuple[int, int, int]] = {
    (1, 31): (1, 16, 16),
    (1, 32): (1, 17, 9),
    (1, 33): (1, 17, 9),
    (1, 34): (1, 18, 6),
    (1, 35): (1, 18, 6),
    (1, 36): (1, 18, 9),
}
_NFTABLES_SINCE = (1, 33)
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


def minor_of(text: str) -> Minor:
    """(1, 34) of v1.34.2. Raises FactUnknown for what is no version."""
    found = _VERSION.match(text)
    if not found:
        raise FactUnknown(
            f"{text!r} is no version; set it with --aksnet-profile kubernetes-version=v1.34.2"
        )
    return int(found[1]), int(found[2])


def version_in(image: str) -> tuple[int, int, int] | None:
    """The version in an image's tag, None where it has none."""
    found = _VERSION.match(image.partition("@")[0].rpartition(":")[2])
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def judge_supported(version: str, today: datetime.date, *, plan: str) -> Verdict:
    """AKS supports this version of Kubernetes on that day; `plan` is the support plan, if known."""
    minor = minor_of(version)
    newest, oldest = max(_ENDS), min(_ENDS)
    if minor > newest:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{version} is newer than {_text(newest)}, the newest that is known here",
            source=_SUPPORTED,
        )
    ends = _ENDS.get(minor)
    last = ends or _ENDS[oldest]
    if plan == LONG_TERM:
        # Two years instead of one; of versions before the table only that they ended earlier.
        last = last + datetime.timedelta(days=_LONGER)
    when = f"on {last}" if ends else f"before {last}"
    if last < today or (ends is None and plan != LONG_TERM):
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"AKS must support the version of Kubernetes: support of {_text(minor)} ended "
            f"{when} (it is {version}, and the day is {today}; long-term support is longer)",
            source=_SUPPORTED,
        )
    soon = last < today + _SOON
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"AKS supports {version} until {last}",
        source=_SUPPORTED,
        warning=f"support of {_text(minor)} ends {when}" if soon else "",
    )


def judge_skew(server: str, kubelets: Mapping[str, str]) -> Verdict:
    """No kubelet is newer than the API server, nor more than three minors older."""
    wanted = minor_of(server)
    wrong, last = [], []
    for node, text in kubelets.items():
        minor = minor_of(text)
        behind = wanted[1] - minor[1]
        if minor[0] != wanted[0] or behind < 0 or behind > _MOST_BEHIND:
            wrong.append(f"{node} has {text}")
        elif behind == _MOST_BEHIND:
            last.append(f"{node} has {text}")
    if wrong:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"kubelets must be at most {_MOST_BEHIND} minor versions older than the API "
            f"server ({server}), and not newer: {'; '.join(wrong)}",
            source=_SKEW,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"the kubelets of {len(kubelets)} nodes go with the API server ({server})",
        source=_SKEW,
        warning="must be upgraded before the API server is again: " + "; ".join(last)
        if last
        else "",
    )


def judge_pairs(
    version: str, *, proxy: str, engines: frozenset[str], cilium: str, is_aks: bool
) -> Verdict:
    """The service proxy, the policy engines and Cilium go with this version and one another.

    `cilium` is the image of its agents, empty where there are none.
    """
    minor = minor_of(version)
    wrong = []
    if proxy == "ipvs" and "azure" in engines:
        wrong.append("kube-proxy in mode ipvs does not work with Azure Network Policy Manager")
    if proxy == "nftables" and minor < _NFTABLES_SINCE:
        wrong.append(f"kube-proxy in mode nftables needs {_text(_NFTABLES_SINCE)}")
    needed = _CILIUM.get(minor)
    if is_aks and cilium and needed:
        found = version_in(cilium)
        if found is None:
            raise FactUnknown(f"the image of Cilium's agents ({cilium}) has no version in its tag")
        if found < needed:
            wrong.append(
                f"Cilium {'.'.join(map(str, found))} runs, and with {_text(minor)} AKS has "
                f"{'.'.join(map(str, needed))} or newer"
            )
    if wrong:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"the parts of the network must go with {version}: {'; '.join(wrong)}",
            source=_PAIRS,
        )
    parts = f"kube-proxy {proxy or 'not known'}, policy engine {', '.join(sorted(engines))}"
    return Verdict(
        outcome=Outcome.PASS, sentence=f"{parts} and {version} go together", source=_PAIRS
    )


def _text(minor: Minor) -> str:
    return f"{minor[0]}.{minor[1]}"
