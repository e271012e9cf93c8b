"""Checks that tell the proxy in front of the API server when to break which of their looks.

Run as a copy below a temporary directory. AKSNET_BREAKS names the directory that the proxy reads.
"""

import json
import os
from pathlib import Path

import pytest

from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.factories import (
    Aks,
    NamespaceFactory,
    NetshootFactory,
    NetworkPolicyFactory,
)

Pair = tuple[ProbePod, ProbePod]


@pytest.fixture
def pair(netshoot: NetshootFactory, namespace: NamespaceFactory, aks: Aks) -> Pair:
    """Source and target on two nodes, in a namespace of their own."""
    source, target = netshoot.on_each(aks.nodes[:2], namespace=namespace())
    return source, target


def break_from_now_on(pair: Pair, *words: str) -> None:
    """Have every exec broken whose URL holds all these words."""
    source, target = (end.pod for end in pair)
    wanted = {
        "words": words,
        "source": f"{source.namespace}/{source.name}",
        "target": f"{target.namespace}/{target.name}",
    }
    folder = Path(os.environ["AKSNET_BREAKS"])
    written = folder / f".{source.name}"
    written.write_text(json.dumps(wanted), "utf-8")
    written.rename(folder / f"{source.name}.json")


def looks_at_target(pair: Pair) -> tuple[str, str]:
    """What the URL of a look from the source at the target holds, and no control's."""
    source, target = (end.pod for end in pair)
    return f"/pods/{source.name}/", target.ip


def deny_all(pair: Pair, network_policy: NetworkPolicyFactory) -> None:
    """Let nothing into the pair's namespace."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    network_policy(spec, namespace=pair[0].pod.namespace)


@pytest.mark.aksnet(id="looks.connects", feature="pod-network", severity="major")
def test_connects(pair: Pair) -> None:
    """A pod reaches another one."""
    source, target = pair
    break_from_now_on(pair, *looks_at_target(pair))
    source.assert_connects(target)


@pytest.mark.aksnet(id="looks.resolves", feature="dns", severity="major")
def test_resolves(pair: Pair, aks: Aks) -> None:
    """A name resolves."""
    source, _ = pair
    break_from_now_on(pair, f"/pods/{source.pod.name}/", "dig")
    source.assert_resolves(aks.service("default", "kubernetes").fqdn)


@pytest.mark.aksnet(id="looks.deny-of-nothing", feature="network-policy", severity="major")
def test_deny_of_nothing(pair: Pair) -> None:
    """What nothing blocks is said to be blocked."""
    source, target = pair
    source.assert_policy_allows(target)
    break_from_now_on(pair, *looks_at_target(pair))
    source.assert_policy_blocks(target)


@pytest.mark.aksnet(id="looks.deny-by-policy", feature="network-policy", severity="major")
def test_deny_by_policy(pair: Pair, network_policy: NetworkPolicyFactory) -> None:
    """What a policy blocks is said to be blocked."""
    source, target = pair
    source.assert_policy_allows(target)
    deny_all(pair, network_policy)
    break_from_now_on(pair, *looks_at_target(pair))
    source.assert_policy_blocks(target)


@pytest.mark.aksnet(id="looks.deny-without-control", feature="network-policy", severity="major")
def test_deny_without_control(pair: Pair, network_policy: NetworkPolicyFactory) -> None:
    """What a policy blocks is said to be blocked, while the target cannot be asked."""
    source, target = pair
    source.assert_policy_allows(target)
    deny_all(pair, network_policy)
    break_from_now_on(pair, f"/pods/{target.pod.name}/")
    source.assert_policy_blocks(target)
