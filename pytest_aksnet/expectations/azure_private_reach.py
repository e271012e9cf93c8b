"""Whether security groups let nodes to private endpoints, beside what packets say. Pure.

A group on the subnet of an endpoint counts only where the subnet has network policies for private
endpoints on ("Azure docs: disable-private-endpoint-network-policy").
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.expectations.azure_places import Spot, surroundings
from pytest_aksnet.expectations.azure_security_rules import (
    INBOUND,
    Effect,
    Flow,
    Ruling,
    ruling,
)
from pytest_aksnet.model.azure import ManagedCluster
from pytest_aksnet.model.azure_private import PrivateEndpoint
from pytest_aksnet.model.azure_security import SecurityGroup

POLICIES = "Azure docs: disable-private-endpoint-network-policy (network security groups)"
_WITH_GROUPS = ("enabled", "networksecuritygroupenabled")


def judge_reachable(
    endpoint: PrivateEndpoint,
    spot: Spot,
    groups: Sequence[SecurityGroup],
    cluster: ManagedCluster,
    answers: Mapping[str, bool],
    *,
    port: int,
    is_known: bool,
) -> Finding:
    """Whether the group of an endpoint's subnet lets nodes to its port.

    `answers` are whether the port accepted, by the address of the node that asked. `is_known` is
    whether the port is known to be the service's, so that silence says something.
    """
    address = (endpoint.addresses or ("",))[0]
    what = f"{endpoint.short} ({address} port {port}, subnet {spot.subnet.name})"
    findings = []
    for node, accepted in answers.items():
        flow = Flow(direction=INBOUND, protocol="tcp", source=node, destination=address, port=port)
        ruled = _ruled(spot, groups, cluster, flow)
        findings.append(_judge(what, node, ruled, accepted=accepted, is_known=is_known))
    return together(findings)


def _ruled(
    spot: Spot, groups: Sequence[SecurityGroup], cluster: ManagedCluster, flow: Flow
) -> Ruling:
    policies = spot.subnet.endpoint_policies.lower()
    if not spot.subnet.security_group or (policies and policies not in _WITH_GROUPS):
        return Ruling(effect=Effect.ALLOW)
    mine = [one for one in groups if one.id == spot.subnet.security_group]
    if not policies or not mine:
        return Ruling(effect=Effect.OPEN)
    around = surroundings(spot, (), cluster)
    # User-defined routes become part of what VirtualNetwork means; which ones is not read here.
    around = replace(around, may_be_all=bool(spot.subnet.route_table))
    return ruling(mine[0], flow, around)


def _judge(what: str, node: str, ruled: Ruling, *, accepted: bool, is_known: bool) -> Finding:
    if ruled.effect is Effect.DENY and not accepted:
        return failed(
            f"node {node} should reach the private endpoint {what}, but {ruled.named} denies it, "
            "and nothing answers",
            resource=ruled.to_change,
            change=f"let {node} and the other nodes in, or turn network policies for private "
            "endpoints of the subnet off",
            source=POLICIES,
        )
    if ruled.effect is Effect.DENY:
        warning = (
            f"{ruled.named} should deny node {node} the private endpoint {what}, which answers"
        )
        return passed(f"{what} answers node {node}", source=POLICIES, warning=warning)
    if accepted:
        return passed(f"{what} answers node {node}", source=POLICIES)
    if is_known or ruled.effect is Effect.OPEN:
        why = ruled.why_open if ruled.effect is Effect.OPEN else "no security group that was read"
        return open_(f"{what} does not answer node {node}; {why} explains it", source=POLICIES)
    return passed(f"no security group keeps node {node} from {what}", source=POLICIES)
