"""All faults of the API server, its streams and the pods at once, at random."""

from collections.abc import Mapping, Sequence

from pytest_aksnet.lab.api.trouble import Kind
from pytest_aksnet.lab.faults.api_pods import PodEvicted
from pytest_aksnet.lab.faults.api_server import ApiRestart, TokenExpired
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.rated import RatedFault, Recurring
from pytest_aksnet.lab.faults.setting import Setting

# Of each group the kinds share the value, so that it stays the rate at which anything goes wrong.
_GROUPS: tuple[Sequence[Kind], ...] = (
    (Kind.TOO_MANY_REQUESTS, Kind.SERVER_ERRORS, Kind.SOME_LATENCY),
    (Kind.WATCH_EXPIRED,),
    (
        Kind.EXEC_REFUSED,
        Kind.STREAM_CUT,
        Kind.STREAM_HALF_OPEN,
        Kind.STATUS_LOST,
        Kind.FALSE_SUCCESS,
        Kind.OUTPUT_LOST,
    ),
    (Kind.QUOTA, Kind.PULL_FAILS, Kind.SOME_SLOW_START),
)
_RECURRING: tuple[type[Recurring], ...] = (ApiRestart, TokenExpired, PodEvicted)


class ApiTrouble(RatedFault):
    """Everything at random."""

    name = "api-trouble"
    describes = (
        "All of the api-, exec-, watch-, token-, pod- and quota faults at random: each request, "
        "each watch, each exec and each pod is hit by one of its own with this probability, and "
        "this often a second, on average, a restart, an expiry or an eviction happens (what a bad "
        "hour of a control plane looks like; AKS docs: AKS control plane updates)."
    )
    setting = Setting(
        meaning="probability per request, watch, exec and pod", default=0.05, highest=1
    )

    async def inject(self, lab: FaultableLab) -> None:
        """Begin all of them."""
        for kind, value in self._shares().items():
            lab.trouble.begin(kind, self.name, value)
        for one in _RECURRING:

            async def happen(one: type[Recurring] = one) -> None:
                await one.happen(lab)

            rate = self.value / len(_RECURRING)
            await lab.trouble.repeat(one.kind, self.name, rate, happen)

    async def heal(self, lab: FaultableLab) -> None:
        """End all of them."""
        for kind in self._shares():
            lab.trouble.end(kind, self.name)
        for one in _RECURRING:
            await lab.trouble.stop(one.kind, self.name)
        lab.trouble.forgive_tokens()

    def _shares(self) -> Mapping[Kind, float]:
        return {kind: self.value / len(group) for group in _GROUPS for kind in group}
