"""A node as its kubelet has it: machine, network plugin, images, addresses, the way to the API."""

from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.controllers.events import EventRecorder
from pytest_aksnet.lab.controllers.kubelet.link import NodeLink
from pytest_aksnet.lab.controllers.kubelet.node_images import NodeImages
from pytest_aksnet.lab.controllers.kubelet.surroundings import Surroundings
from pytest_aksnet.lab.spec import NodeSpec


class KubeletNode:
    """What the workers of all pods of one node share. `machine` is the node's sandbox."""

    def __init__(self, around: Surroundings, spec: NodeSpec, machine: Sandbox) -> None:
        self.around = around
        self.spec = spec
        self.machine = machine
        self.plugin = around.plugins[spec.name]
        self.events = EventRecorder(around.store, "kubelet", spec.name)
        self.images = NodeImages(around.store, spec.name, around.preloaded)
        self.addresses = around.pod_addresses[spec.name]
        self.link = NodeLink()
