"""What the containers of a pod share once its sandbox is there, and may ask for."""

import dataclasses

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.trouble import Kind
from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.controllers.events import EventRecorder
from pytest_aksnet.lab.controllers.kubelet import images
from pytest_aksnet.lab.controllers.kubelet.images import Image
from pytest_aksnet.lab.controllers.kubelet.link import NodeLink
from pytest_aksnet.lab.controllers.kubelet.node_images import NodeImages
from pytest_aksnet.lab.controllers.kubelet.references import References
from pytest_aksnet.lab.controllers.kubelet.surroundings import Surroundings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PodContext:
    """What containers share: their pod (as it was started), its sandbox and where it is.

    No image can be pulled for an `unlucky` pod while there is trouble of that kind.
    """

    around: Surroundings
    pod: JsonObject
    sandbox: Sandbox
    node_netns_fd: int
    ip: str
    hostname: str
    references: References
    node_images: NodeImages
    events: EventRecorder
    link: NodeLink
    unlucky: bool

    @property
    def grace_seconds(self) -> float:
        """How long the containers of the pod may take to end."""
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))

    def pull(self, image: Image) -> None:
        """Raise PullError where its registry does not give an image to this pod now."""
        trouble = self.around.trouble
        if self.unlucky and trouble.value(Kind.PULL_FAILS):
            failures = (images.registry_not_found, images.too_many_pulls)
            raise trouble.random.choice(failures)(image.reference)
