"""Verbs about load balancers in ARM, held against Services, nodes, and pods that are Ready."""

import time
from collections.abc import Sequence

from pytest_aksnet.assertions.azure_looker import AzureVerbs
from pytest_aksnet.assertions.azure_members import with_machines
from pytest_aksnet.assertions.azure_settling import settled
from pytest_aksnet.assertions.balanced_objects import (
    backend_nodes,
    balanced_services,
    service_uids,
)
from pytest_aksnet.assertions.cluster_state import own_namespaces
from pytest_aksnet.assertions.load_balancer_causes import why_left_out
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.expectations.azure_backends import is_member, judge_inbound_pools
from pytest_aksnet.expectations.azure_balancer_rules import judge_orphans, judge_timeouts, rules_of
from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed
from pytest_aksnet.expectations.azure_frontends import judge_frontends
from pytest_aksnet.expectations.azure_health import judge_health
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_balancers import LOAD_BALANCERS, RULE_HEALTH, Balancer
from pytest_aksnet.model.azure_vnet import PUBLIC_ADDRESSES, VNETS
from pytest_aksnet.model.balanced import BackendNode, BalancedService
from pytest_aksnet.model.errors import ArmForbidden, ArmUnanswered
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import ServiceRef
from pytest_aksnet.model.verdict import Outcome

_PAUSE_S = 2.0
_RETIRED = "Azure docs: load-balancer-basic-upgrade-guidance (SKU Basic retired on 2025-09-30)"


class AzureBalancerVerbs(AzureVerbs):
    """What `Arm` says of load balancers."""

    def assert_probes_up(self, own: ServiceRef, serving: Sequence[AnyPod]) -> FactSheet:
        """Rules are Up on nodes with Ready pods: of this Service of `serving`, and of others'.

        Waits for the load balancer as long as this run waits for frontends, and two of its probes
        before the first look. Raises FactUnknown where its health is not told.
        """
        started, engine = time.time(), self._engine
        engine.rest(engine.pacing.frontend_hold_s)
        deadline = engine.now() + engine.pacing.frontend_s
        cluster = self.read(CLUSTER)
        seen = ""
        while True:
            asked = time.time()
            health = self.read(RULE_HEALTH, since=asked)
            balancers = self.read(LOAD_BALANCERS, since=started)
            nodes = backend_nodes(engine.api)
            services = self._balancer_services(own)
            judged = judge_health(services, balancers, health, nodes, seen=seen)
            if judged.verdict.outcome is Outcome.PASS or engine.now() >= deadline:
                break
            engine.rest(_PAUSE_S)
        if judged.verdict.outcome is Outcome.FAIL:
            said = judged.verdict.sentence
            if f"{own.namespace}/{own.name}" in said:
                down = [node.name for node in nodes if node.name in said]
                seen = why_left_out(engine, own, [pod_of(pod) for pod in serving], down)
            judged = judge_health(
                services, balancers, health, nodes, groups=self._balancer_groups(), seen=seen
            )
        facts = {
            f"rule {one.rule.rpartition('/')[2]}": ", ".join(
                f"{back.ip} {back.state} {back.reason}" for back in one.backends or ()
            )
            for one in health.rules
        }
        facts["Ready pods of Services"] = "; ".join(
            f"{one.key} on {', '.join(sorted(one.ready_on)) or 'no node'}" for one in services
        )
        if health.left_out:
            facts["rules not asked"] = str(health.left_out)
        return self.judge("health of load balancing rules", facts, judged, shows=cluster.id)

    def assert_backend_pools_complete(self, own: ServiceRef) -> FactSheet:
        """Each Ready node is in the backend pools of frontends; `own` is a Service that has one."""
        cluster = self.read(CLUSTER)

        def look(balancers: Sequence[Balancer]) -> Finding:
            nodes = backend_nodes(self._engine.api)
            told = with_machines(self, balancers, nodes, since=since)
            return judge_inbound_pools(told, nodes)

        since = time.time()
        finding, balancers = settled(self, self._engine, LOAD_BALANCERS, look, since=since)
        facts = {f"address of {own.name}": ", ".join(own.load_balancer_ips)}
        facts |= _members(balancers, backend_nodes(self._engine.api))
        return self.judge("backend pools", facts, finding, shows=cluster.id)

    def assert_frontends_of_services(self, own: ServiceRef) -> FactSheet:
        """Each address of `own`, and of Services of others, is a frontend with all its rules."""
        cluster = self.read(CLUSTER)
        since = time.time()

        def look(balancers: Sequence[Balancer]) -> Finding:
            services = self._balancer_services(own)
            outside = any(not is_private(ip) for one in services for ip in one.addresses)
            public = self.read(PUBLIC_ADDRESSES, since=since) if outside else ()
            return judge_frontends(
                services, balancers, {one.id: one.ip for one in public}, cluster=cluster.id
            )

        finding, balancers = settled(self, self._engine, LOAD_BALANCERS, look, since=since)
        facts = {
            f"Service {one.key}": f"{', '.join(one.addresses)} with "
            + ", ".join(f"{port}/{protocol}" for protocol, port in one.ports)
            for one in self._balancer_services(own)
        }
        facts |= _parts(balancers)
        return self.judge("frontends of Services", facts, finding, shows=cluster.id)

    def assert_no_orphaned_rules(self) -> FactSheet:
        """No rule or frontend is left over of a Service that is gone."""
        cluster = self.read(CLUSTER)
        api = self._engine.api

        def look(balancers: Sequence[Balancer]) -> Finding:
            # Before and after: Services of other checks come and go.
            return judge_orphans(before | service_uids(api), balancers)

        before = service_uids(api)
        finding, balancers = settled(self, self._engine, LOAD_BALANCERS, look)
        facts = {"Services": str(len(before)), **_parts(balancers)}
        return self.judge("rules and the Services they are of", facts, finding, shows=cluster.id)

    def assert_idle_timeouts(self, own: ServiceRef) -> FactSheet:
        """Rules of `own`, and of Services of others, have the time-outs their annotations say."""
        cluster = self.read(CLUSTER)

        def look(balancers: Sequence[Balancer]) -> Finding:
            return judge_timeouts(self._balancer_services(own), balancers)

        finding, balancers = settled(self, self._engine, LOAD_BALANCERS, look, since=time.time())
        facts = {
            f"rule {rule.name}": f"{rule.idle_minutes} min, TCP reset {rule.tcp_reset}"
            for service in self._balancer_services(own)
            for rule in rules_of(service, balancers)
        }
        return self.judge("time-outs of load balancing rules", facts, finding, shows=cluster.id)

    def assert_balancer_sku(self) -> FactSheet:
        """No load balancer of the cluster is of the retired SKU Basic."""
        cluster, balancers = self.read(CLUSTER), self.read(LOAD_BALANCERS)
        facts = {one.name: one.sku or "not said" for one in balancers}
        facts["load balancers"] = str(len(balancers))
        basic = [one for one in balancers if one.sku == "basic"]
        if basic:
            finding = failed(
                f"load balancer {basic[0].name} should have SKU Standard, and has Basic, which "
                "is retired",
                resource=basic[0].id,
                change="upgrade it to Standard: az aks update --load-balancer-sku standard",
                source=_RETIRED,
            )
        elif not all(one.sku for one in balancers):
            finding = open_("ARM's answer lacks the SKU of a load balancer", source=_RETIRED)
        else:
            names = ", ".join(one.name for one in balancers) or "there is none"
            finding = passed(f"no load balancer is Basic: {names}", source=_RETIRED)
        return self.judge("SKU of load balancers", facts, finding, shows=cluster.id)

    # -- how they look -----------------------------------------------------------------------

    def _balancer_services(self, own: ServiceRef) -> tuple[BalancedService, ...]:
        """This Service, and those that no run of pytest-aksnet made."""
        api = self._engine.api
        runs, mine = own_namespaces(api), f"{own.namespace}/{own.name}"
        return tuple(
            one
            for one in balanced_services(api)
            if one.key == mine or one.key.partition("/")[0] not in runs
        )

    def _balancer_groups(self) -> tuple[str, ...]:
        """Security groups of the nodes' subnets; none where ARM does not tell them."""
        try:
            pools, vnets = self.read(POOLS), self.read(VNETS)
        except (ArmForbidden, ArmUnanswered):
            return ()
        used = {pool.node_subnet for pool in pools if pool.node_subnet}
        found = (
            subnet.security_group
            for vnet in vnets
            for subnet in vnet.subnets
            if subnet.security_group and (subnet.id in used or not used)
        )
        return tuple(dict.fromkeys(found))


def _members(balancers: Sequence[Balancer], nodes: Sequence[BackendNode]) -> dict[str, str]:
    facts = {
        f"pool {pool.name} of {balancer.name}": ", ".join(
            node.name for node in nodes if is_member(node, pool)
        )
        or "no node"
        for balancer in balancers
        for pool in balancer.pools or ()
    }
    return facts | {f"node {node.name}": node.spared for node in nodes if node.spared}


def _parts(balancers: Sequence[Balancer]) -> dict[str, str]:
    return {
        f"load balancer {one.name}": f"{len(one.frontends or ())} frontends, "
        f"{len(one.rules or ())} rules"
        for one in balancers
    }
