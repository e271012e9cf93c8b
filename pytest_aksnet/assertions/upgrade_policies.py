"""Verbs about NetworkPolicies that an upgrade, or a change of the engine, turns into others."""

import ipaddress
from collections.abc import Sequence

from pytest_aksnet.assertions.cluster_state import nodes_of, of_others, own_namespaces
from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.assertions.sheets import judge_sheet
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations import upgrade_policies
from pytest_aksnet.expectations.upgrade_policies import Network
from pytest_aksnet.expectations.upgrade_versions import minor_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import NotApplicable
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.verdict import Verdict

_POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
_BY_HAND = ("kubectl", "get", "networkpolicies", "--all-namespaces", "--output=yaml")
_TO_CILIUM = ("azure", "cilium")


class UpgradePolicyVerbs(Reader):
    """What `Inventory` says of policies that people wrote."""

    def assert_policies_allow_local_dns(self) -> FactSheet:
        """Policies that allow DNS allow it at LocalDNS too.

        Raises NotApplicable without an engine or any policy.
        """
        profile = self._engine.profile
        state = profile.need("local-dns")
        if state == "off" and profile.get("cloud") != "azure":
            raise NotApplicable("only AKS has LocalDNS, and no node of this cluster has it")
        engine = profile.need("policy-engine")
        if engine == "none":
            raise NotApplicable(
                "nothing enforces NetworkPolicies here: the fact 'policy-engine' of the network "
                f"profile is 'none' ({profile.facts['policy-engine'].source})"
            )
        policies = _policies(self._engine)
        verdict = upgrade_policies.judge_local_dns(
            upgrade_policies.without_local_dns(policies),
            state=state,
            engine=engine,
            version=minor_of(profile.need("kubernetes-version")),
        )
        return _judge_policies(
            self._engine, "policies and LocalDNS", policies, {"LocalDNS": state}, verdict
        )

    def assert_policies_mean_the_same(self) -> FactSheet:
        """No policy names pods or nodes by address, which Cilium ignores.

        Raises NotApplicable with engines that neither are nor become Cilium, and without a policy.
        """
        profile = self._engine.profile
        if profile.get("cloud") != "azure" and profile.get("data-plane") != "cilium":
            raise NotApplicable(
                "only AKS has Azure Network Policy Manager, and Cilium does not run here"
            )
        engine = profile.need("policy-engine")
        if engine not in _TO_CILIUM:
            raise NotApplicable(
                "only Azure Network Policy Manager becomes Cilium: the fact 'policy-engine' of the "
                f"network profile is {engine!r} ({profile.facts['policy-engine'].source})"
            )
        own: list[Network] = [
            ipaddress.ip_network(ip) for node in nodes_of(self._engine.api) for ip in node.addresses
        ]
        for fact in ("node-cidrs", "pod-cidrs"):
            if profile.get(fact):
                own += profile.networks(fact)
        policies = _policies(self._engine)
        verdict = upgrade_policies.judge_cilium_meaning(policies, own, engine=engine)
        return _judge_policies(
            self._engine, "policies and Cilium", policies, {"engine": engine}, verdict
        )


def _policies(engine: Engine) -> list[Json]:
    """Those that people wrote: a run's own come and go with its tests.

    Raises NotApplicable where there is none.
    """
    api = engine.api
    found = of_others(api.items(_POLICIES), own_namespaces(api))
    if not found:
        raise NotApplicable("nobody has written a NetworkPolicy in this cluster")
    return found


def _judge_policies(
    engine: Engine,
    what: str,
    policies: Sequence[Json],
    facts: dict[str, str],
    verdict: Verdict,
) -> FactSheet:
    names = [f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in policies]
    return judge_sheet(
        engine, what, {**facts, "policies": ", ".join(names) or "none"}, verdict, _BY_HAND
    )
