"""The probes of one run of a container: when to look, what follows from it.

As a kubelet's, but for one thing: while a container has not been ready (or started) yet, it is
looked at again after 20 ms, then at growing intervals up to periodSeconds, so that Ready comes as
soon as it is true.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.controllers.kubelet.probes import Look, Prober
from pytest_aksnet.lab.controllers.kubelet.status import ContainerState

_FIRST_PAUSE_SECONDS = 0.02
_PAUSE_GROWTH = 1.3


@dataclasses.dataclass(slots=True, kw_only=True)
class Probing:
    """`kill` ends the container for a reason and a probe, `unhealthy` reports a failed look.

    `pause` is the time between two looks, which a slow kubelet makes longer.
    """

    spec: JsonObject
    state: ContainerState
    prober: Prober
    changed: Callable[[], None]
    unhealthy: Callable[[str], None]
    kill: Callable[[str, JsonObject], None]
    pause: Callable[[float], Awaitable[None]]

    def begin(self) -> None:
        """What holds from the start: what has no probe is started and ready at once."""
        self.state.started = "startupProbe" not in self.spec
        self.state.ready = self.state.started and "readinessProbe" not in self.spec

    async def run(self) -> None:
        """Look until cancelled."""
        if not self.state.started and not await self._start_up():
            return
        async with asyncio.TaskGroup() as group:
            if "readinessProbe" in self.spec:
                group.create_task(self._readiness(self.spec["readinessProbe"]))
            if "livenessProbe" in self.spec:
                group.create_task(self._liveness(self.spec["livenessProbe"]))

    async def _start_up(self) -> bool:
        probe = self.spec["startupProbe"]
        patience = probe["failureThreshold"] * float(probe["periodSeconds"])
        try:
            async with asyncio.timeout(probe.get("initialDelaySeconds", 0) + patience):
                async for look in self._eager_looks(probe, "Startup"):
                    if look.good:
                        break
        except TimeoutError:
            self._give_up("startup", probe)
            return False
        self.state.started = True
        self.state.ready = "readinessProbe" not in self.spec
        self.changed()
        return True

    async def _readiness(self, probe: JsonObject) -> None:
        good_in_a_row = bad_in_a_row = 0
        async for look in self._eager_looks(probe, "Readiness"):
            good_in_a_row = good_in_a_row + 1 if look.good else 0
            bad_in_a_row = 0 if look.good else bad_in_a_row + 1
            if self.state.ready and bad_in_a_row >= probe["failureThreshold"]:
                self.state.ready = False
                self.changed()
            elif not self.state.ready and good_in_a_row >= probe["successThreshold"]:
                self.state.ready = True
                self.changed()

    async def _liveness(self, probe: JsonObject) -> None:
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        bad_in_a_row = 0
        while True:
            look = await self.prober.look(probe)
            bad_in_a_row = 0 if look.good else bad_in_a_row + 1
            if not look.good:
                self.unhealthy(f"Liveness probe failed: {look.output}")
            if bad_in_a_row >= probe["failureThreshold"]:
                self._give_up("liveness", probe)
                return
            await self.pause(float(probe["periodSeconds"]))

    def _give_up(self, which: str, probe: JsonObject) -> None:
        name = self.spec["name"]
        self.kill(f"Container {name} failed {which} probe, will be restarted", probe)

    async def _eager_looks(self, probe: JsonObject, which: str) -> AsyncIterator[Look]:
        """Looks without end: eagerly until the first good one, then every periodSeconds."""
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        period = float(probe["periodSeconds"])
        pause = min(_FIRST_PAUSE_SECONDS, period)
        while True:
            look = await self.prober.look(probe)
            if look.good:
                pause = period
            elif pause >= period:
                self.unhealthy(f"{which} probe failed: {look.output}")
            yield look
            await self.pause(pause)
            pause = min(pause * _PAUSE_GROWTH, period)
