"""The containers of one pod: which there are, and those that run beside the main ones.

A pod does not wait for the end of its sidecars and ephemeral containers: they end with it.
Source: Kubernetes docs, "Sidecar Containers", "Ephemeral Containers".
"""

import asyncio
import contextlib
from collections.abc import Callable

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.controllers.kubelet import status
from pytest_aksnet.lab.controllers.kubelet.container import ContainerRunner
from pytest_aksnet.lab.controllers.kubelet.pod_context import PodContext


class PodContainers:
    """Of a pod's spec: `init` (sidecars among them), `main` and, as they come, `ephemeral`.

    `changed` is called when the state of one has changed.
    """

    def __init__(self, spec: JsonObject, changed: Callable[[], None]) -> None:
        policy = spec.get("restartPolicy", "Always")
        init_policy = "OnFailure" if policy == "Always" else policy
        self.init = [
            ContainerRunner(item, init_policy, changed, group="initContainers")
            for item in spec.get("initContainers") or []
        ]
        self.main = [ContainerRunner(item, policy, changed) for item in spec["containers"]]
        self.ephemeral: list[ContainerRunner] = []
        self._changed = changed
        self._beside: dict[str, asyncio.Task[None]] = {}

    @property
    def awaited(self) -> list[ContainerRunner]:
        """Those whose end the pod waits for, in the order of their start."""
        return [*(item for item in self.init if not item.is_sidecar), *self.main]

    @property
    def any_runs(self) -> bool:
        """Whether a main one runs."""
        return any(item.state.running for item in self.main)

    @property
    def outcome(self) -> str:
        """The phase of the pod after the end of the main ones."""
        ends = [item.state.terminated or {"exitCode": 1} for item in self.main]
        good = all(end["exitCode"] == 0 for end in ends)
        return status.SUCCEEDED if good else status.FAILED

    def find(self, name: str) -> ContainerRunner | None:
        """The container of that name, of whatever kind."""
        for item in (*self.main, *self.init, *self.ephemeral):
            if item.spec["name"] == name:
                return item
        return None

    def add_ephemeral(self, spec: JsonObject, context: PodContext) -> None:
        """Start the ephemeral containers of the pod's spec that are new."""
        known = {runner.spec["name"] for runner in self.ephemeral}
        for item in spec.get("ephemeralContainers") or []:
            if item["name"] not in known:
                group = "ephemeralContainers"
                runner = ContainerRunner(item, "Never", self._changed, group=group)
                self.ephemeral.append(runner)
                self.run_beside(runner, context)

    def run_beside(self, runner: ContainerRunner, context: PodContext) -> None:
        """Run a container that the pod does not wait for: a sidecar, an ephemeral one."""
        running = asyncio.create_task(runner.run(context))
        self._beside[runner.spec["name"]] = running

    async def end_beside(self, context: PodContext | None, deadline: float) -> None:
        """After the end of the main containers that of the sidecars, the last one first.

        They may take until `deadline`, a time of the event loop's clock. Ephemeral containers
        are killed.
        """
        sidecars = [runner for runner in reversed(self.init) if runner.is_sidecar]
        for runner in (*sidecars, *self.ephemeral):
            runner.forbid_restart()
        if context is not None and sidecars:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    for runner in sidecars:
                        await runner.stop(context)
        for runner in (*sidecars, *self.ephemeral):
            runner.kill()
            await runner.ended()
        for running in self._beside.values():
            running.cancel()
        await asyncio.gather(*self._beside.values(), return_exceptions=True)
