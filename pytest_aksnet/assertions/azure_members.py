"""Backend pools whose members can be told, whatever kind of machine they are."""

from collections.abc import Sequence
from dataclasses import replace

from pytest_aksnet.assertions.azure_looker import AzureVerbs
from pytest_aksnet.expectations.azure_interfaces import below_machines
from pytest_aksnet.model.azure_balancers import Balancer
from pytest_aksnet.model.azure_machines import INTERFACES, is_of_scale_set
from pytest_aksnet.model.balanced import BackendNode


def with_machines(
    verbs: AzureVerbs, balancers: Sequence[Balancer], nodes: Sequence[BackendNode], *, since: float
) -> tuple[Balancer, ...]:
    """Load balancers with the members of their pools below their machines.

    Interfaces are read only where a node is on a machine of its own; `since` as in
    `AzureVerbs.read`. Raises like that.
    """
    if all(is_of_scale_set(node.machine) for node in nodes if node.machine):
        return tuple(balancers)
    interfaces = verbs.read(INTERFACES, since=since)
    return tuple(
        replace(
            balancer,
            pools=tuple(
                replace(pool, configurations=below_machines(pool.configurations, interfaces))
                for pool in balancer.pools
            ),
        )
        if balancer.pools is not None
        else balancer
        for balancer in balancers
    )
