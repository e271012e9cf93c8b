"""What of a lab is real and what is only a facade, in sentences for its users. Data.

The announcement, `aksnet-lab status` and the report of a lab run carry it; docs/lab.md has it with
figures and how they were measured.
"""

from pytest_aksnet.lab.options import SIZES, changed_options
from pytest_aksnet.lab.spec import LabSpec

REAL = (
    "Packets: every machine and pod is a network namespace of the Linux kernel with its own TCP, "
    "UDP and ICMP; routes, NAT, connection tracking and policies are the kernel's.",
    "Processes: a pod's containers are processes with namespaces of their own; exec, logs, probes "
    "and signals reach them.",
    "DNS: servers speak the wire protocol over UDP and TCP.",
    "TLS: certificates are issued by the lab's own authority and checked by whoever connects.",
)
FACADE = (
    "Accelerated networking: the driver names, the virtual function and the vf_ counters of "
    "`ethtool -i` and `ethtool -S` are made up from eth0's real counters; no packet takes another "
    "path.",
    "Machines: VM sizes, zones, disks and memory are labels and quantities; all nodes share the "
    "CPUs, the memory, the kernel and the clock of the machine that the lab runs on.",
    "Agents of nodes: the network's DaemonSets only pause, and what kube-proxy and the kubelet "
    "answer at their own ports is their mode, a refusal or the node's pods.",
    "Distance: there is none between regions, zones or sites, so latencies are those of one "
    "machine unless a fault adds some.",
    "Azure Resource Manager: what it says of networks, addresses, rules, routes, health, metrics "
    "and interfaces is computed from what carries the packets; what nothing in the lab stands for "
    "(power states, images, disks, upgrades) is constant, and tokens are signed with a secret.",
    "Ingress: nginx is real; what watches the API server and writes its configuration is a small "
    "controller of the lab, in place of ingress-nginx and of NGINX Gateway Fabric.",
    "Service mesh: sidecars redirect, encrypt and choose as those of Istio; a small proxy is in "
    "place of Envoy, and what it is told comes over plain HTTP in place of xDS.",
    "Images: no image is pulled; containers run the programs of the machine that the lab runs on.",
)


def about(spec: LabSpec) -> dict[str, object]:
    """Mode, engine, options, and the sentences, as JSON types."""
    rates = {node.instance_type: node.egress_gbps for node in spec.nodes}
    enforced = [
        f"Rate of {size}: a token bucket (tbf) on eth0 lets a node send {gbps:g} Gbit/s; what it "
        "receives is not metered, as in Azure. What this machine can do is often less."
        for size, gbps in sorted(rates.items())
        if size in SIZES
    ]
    return {
        "mode": spec.mode,
        "engine": spec.engine,
        "options": changed_options(spec.options),
        "real": [*REAL, *enforced],
        "facade": [*FACADE],
    }
