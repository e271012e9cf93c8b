"""The images that a node has, and how its kubelet lists them in the status of the Node."""

import contextlib
from collections.abc import Iterable

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import NODES
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.kubelet import images
from pytest_aksnet.lab.controllers.kubelet.images import Image

_MOST_LISTED = 50  # the kubelet's nodeStatusMaxImages
_MOST_NAMES = 5  # kubernetes: MaxNamesPerImageInNodeStatus in pkg/kubelet/nodestatus/setters.go


class NodeImages:
    """The images of one node: the `preloaded` ones by their references, and what was pulled."""

    def __init__(self, store: Store, node: str, preloaded: Iterable[str]) -> None:
        self._store = store
        self._node = node
        self._images = {image.reference: image for image in map(images.resolve, preloaded)}

    def has(self, image: Image) -> bool:
        """Whether the node has it, by its tag or by its digest."""
        digests = {known.image_id for known in self._images.values()}
        return image.reference in self._images or image.reference in digests

    def add(self, image: Image) -> None:
        """It has been pulled: the status of the Node says so."""
        if self.has(image):
            return
        self._images[image.reference] = image
        node = self._store.find(NODES, self._node)
        if node is not None:
            node["status"]["images"] = listed(self._images.values())
            with contextlib.suppress(ApiError):
                self._store.update(NODES, node, subresource="status")


def listed(found: Iterable[Image]) -> list[JsonObject]:
    """What a Node's status lists of images: the largest first, each with its digest and tags."""
    names: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    for image in found:
        known = names.setdefault(image.image_id, [image.image_id])
        if image.reference not in known:
            known.append(image.reference)
        sizes[image.image_id] = image.program.size
    largest = sorted(names, key=lambda digest: -sizes[digest])[:_MOST_LISTED]
    return [
        {"names": names[digest][:_MOST_NAMES], "sizeBytes": sizes[digest]} for digest in largest
    ]
