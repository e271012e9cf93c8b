"""Whether the nodes that an upgrade adds find addresses. Pure: pools and room in, verdict out.

Source: AKS docs upgrade-cluster (surge), concepts-network-ip-address-planning: all pools may be
upgraded at once, and from 1.35 on AKS goes on with one node more where the surge finds no room.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.ipam import PLANNING, Room
from pytest_aksnet.expectations.ipam_arithmetic import Cost, PoolPlan
from pytest_aksnet.model.verdict import Outcome, Verdict, merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the surge of pools takes of one room: the cost of one node, by pool."""

    room: Room
    pools: Sequence[tuple[PoolPlan, Cost]]


def judge_surge(demands: Sequence[Demand], *, falls_back: bool) -> Verdict:
    """An upgrade finds room for the surge of every pool: all at once, or else one by one."""
    return merge(_judge(demand, falls_back=falls_back) for demand in demands)


def _judge(demand: Demand, *, falls_back: bool) -> Verdict:
    room = demand.room
    growing = [(pool, cost) for pool, cost in demand.pools if pool.surge > 0]
    together = sum(pool.surge * cost.sure for pool, cost in growing)
    planned = sum(pool.surge * cost.planned for pool, cost in growing)
    alone = max((pool.surge * cost.sure for pool, cost in growing), default=0)
    one_node = max((cost.sure for _, cost in growing), default=0)
    surge = ", ".join(f"{pool.name} +{pool.surge}" for pool, _ in growing) or "none"
    seen = f"{room}, {room.free} left, surge of nodes {surge}"
    if room.free < (one_node if falls_back else alone):
        lacking = one_node if falls_back else alone
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"an upgrade must find {lacking} for the nodes that it adds: {seen}",
            source=PLANNING,
        )
    warning = ""
    if room.free < alone:
        warning = f"{seen}: too little for the surge, so it goes on with one node at a time"
    elif room.free < together:
        warning = f"{seen}: enough for one pool after the other only, all at once take {together}"
    elif room.free < planned:
        warning = f"{seen}: less than the {planned} that the documentation plans for"
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"an upgrade finds the {together} that its nodes take ({seen})",
        source=PLANNING,
        warning=warning,
    )
