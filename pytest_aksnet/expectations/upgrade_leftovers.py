"""What older set-ups leave in a cluster, and clients that an upgrade leaves behind. Pure.

Sources: AKS docs update-azure-cni, use-network-policies, azure-cni-powered-by-cilium,
localdns-custom; Kubernetes docs Deprecated API Migration Guide.
"""

import ipaddress
from collections.abc import Mapping, Sequence

from pytest_aksnet.expectations.upgrade_versions import Minor, minor_of
from pytest_aksnet.model.observation import DeprecatedApi
from pytest_aksnet.model.verdict import Outcome, Verdict

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LEFTOVERS = "AKS docs: update-azure-cni, azure-cni-powered-by-cilium, use-network-policies"
_APIS = "Kubernetes docs: Deprecated API Migration Guide"
_MASQ = "ConfigMap kube-system/azure-ip-masq-agent-config"
_ENGINES = {
    "azure-npm": "Azure Network Policy Manager",
    "calico-node": "Calico",
    "cilium": "Cilium",
}


def judge_leftovers(
    daemon_sets: Mapping[str, str],
    *,
    mode: str,
    pod_ranges: Sequence[Network],
    masquerade: Sequence[Network] | None,
) -> Verdict:
    """Nothing of an older set-up works against this one.

    `daemon_sets` are places of DaemonSets by name, `masquerade` the ranges of a user's own
    masquerade ConfigMap, None where there is none.
    """
    wrong = []
    engines = [name for name in _ENGINES if name in daemon_sets]
    if len(engines) > 1:
        wrong.append(
            "policies are enforced twice, by "
            + " and ".join(f"{_ENGINES[name]} ({daemon_sets[name]})" for name in engines)
        )
    if "cilium" in daemon_sets and "kube-proxy" in daemon_sets:
        wrong.append(f"{daemon_sets['kube-proxy']} runs beside Cilium, which replaces it")
    beyond = [
        one
        for one in masquerade or ()
        if not any(one.version == own.version and _within(one, own) for own in pod_ranges)
    ]
    if mode == "overlay" and beyond:
        wrong.append(
            f"{_MASQ} keeps the addresses of pods towards {', '.join(map(str, beyond))}, where "
            "nobody can answer them in an overlay"
        )
    if wrong:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"nothing of an older set-up may work against this one: {'; '.join(wrong)}",
            source=_LEFTOVERS,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence="nothing of an older set-up works against this one",
        source=_LEFTOVERS,
        warning=f"{_MASQ} is there; it must go before a migration to overlay"
        if masquerade is not None
        else "",
    )


def judge_deprecated_apis(asked: Sequence[DeprecatedApi], version: str) -> Verdict:
    """No client asks for what the next minor version of Kubernetes does not serve any more."""
    minor = minor_of(version)
    following = (minor[0], minor[1] + 1)
    gone = [one for one in asked if _removed(one) <= following]
    if gone:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"no client may ask for an API that {following[0]}.{following[1]} does not "
            f"serve: {_listed(gone)}",
            source=_APIS,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence="no client asks for an API that goes with the next version",
        source=_APIS,
        warning=f"deprecated, and asked for: {_listed(asked)}" if asked else "",
    )


def _removed(api: DeprecatedApi) -> Minor:
    return minor_of(api.removed_release) if api.removed_release else (10**6, 0)


def _listed(apis: Sequence[DeprecatedApi]) -> str:
    return "; ".join(
        f"{one.group or 'core'}/{one.version} {one.resource}"
        + (f" (removed in {one.removed_release})" if one.removed_release else "")
        for one in apis
    )


def _within(inner: Network, outer: Network) -> bool:
    return inner.network_address in outer and inner.broadcast_address in outer
