"""Faults of the control plane's parts, which leave the packets of what is there alone."""

from pytest_aksnet.lab.faults.fault import FaultableLab


class SchedulerDown:
    """The scheduler does not run."""

    name = "scheduler-down"
    describes = (
        "The scheduler does not run: new pods stay Pending, without a node and without an event, "
        "and what runs goes on (Kubernetes docs: Troubleshooting Clusters)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Let it act on nothing."""
        lab.control.scheduler.pause()

    async def heal(self, lab: FaultableLab) -> None:
        """Let it go on."""
        lab.control.scheduler.resume()


class UnreadyEndpointsKept:
    """The controllers that write Endpoints and EndpointSlices miss that a pod stops being ready."""

    name = "unready-endpoints-kept"
    describes = (
        "EndpointSlices keep pods as ready that stopped being ready, until they end, so Services "
        "go on sending to pods that shed load (Kubernetes docs: EndpointSlices, conditions)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Keep them."""
        lab.control.endpoints.keep_ready(True)

    async def heal(self, lab: FaultableLab) -> None:
        """List those that are ready."""
        lab.control.endpoints.keep_ready(False)


class EndpointControllerDown:
    """The controllers that write Endpoints and EndpointSlices do not run."""

    name = "endpoint-controller-down"
    describes = (
        "EndpointSlices do not follow the pods any more, so Services keep sending to pods that "
        "are not ready or gone, and never to new ones (Kubernetes docs: EndpointSlices; Debug "
        "Services)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Let them act on nothing."""
        lab.control.endpoints.pause()

    async def heal(self, lab: FaultableLab) -> None:
        """Let them go on."""
        lab.control.endpoints.resume()
