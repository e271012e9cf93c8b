"""What a running lab consists of, as JSON: for `aksnet-lab status` and `aksnet-lab graph`.

Read from the same state that carries the packets: the Azure resources, the cluster's objects and
the faults.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Protocol

from pytest_aksnet.lab.api.resources import PODS, SERVICES
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.azure.state import NODE_SUBNET, AzureState
from pytest_aksnet.lab.spec import LabSpec

_INTERNAL = "service.beta.kubernetes.io/azure-load-balancer-internal"


class ShownLab(Protocol):
    """A lab as it is shown."""

    @property
    def spec(self) -> LabSpec:
        """What the lab consists of."""
        ...

    @property
    def store(self) -> Store:
        """The cluster's objects."""
        ...

    @property
    def azure(self) -> AzureState:
        """The Azure resources around the cluster."""
        ...

    @property
    def injected(self) -> Mapping[tuple[str, str], str]:
        """The faults that are injected, as they are named, by name and node."""
        ...


def topology(lab: ShownLab) -> dict[str, object]:
    """Networks, nodes with their pods, hosts, frontends, the way out, and faults, as JSON types.

    Lists are in a fixed order. `faults` are [label, node], the node "" for those of the cluster.
    """
    spec, azure = lab.spec, lab.azure
    return {
        "mode": spec.mode,
        "engine": spec.engine,
        "service_proxy": spec.kube_proxy or "cilium",
        "networks": [asdict(network) for network in azure.networks.values()],
        "node_subnet": NODE_SUBNET,
        "sites": [asdict(site) for site in azure.sites.values()],
        "nodes": _nodes(lab),
        "hosts": [
            {"name": host.name, "ip": host.ip, "domain": host.domain, "role": host.role}
            for host in spec.hosts
        ],
        "frontends": _frontends(lab.store),
        "egress": {"kind": spec.options.egress, "address": spec.egress_ip or ""},
        "private_endpoints": [asdict(one) for one in azure.private_endpoints.values()],
        "faults": sorted([text, node] for (_, node), text in lab.injected.items()),
    }


def _nodes(lab: ShownLab) -> list[dict[str, object]]:
    pods: dict[str, list[dict[str, str]]] = {node.name: [] for node in lab.spec.nodes}
    for revision in lab.store.revisions(PODS):
        meta, status = revision.value["metadata"], revision.value.get("status", {})
        on = revision.value["spec"].get("nodeName", "")
        if on in pods:
            pods[on].append(
                {
                    "namespace": meta["namespace"],
                    "name": meta["name"],
                    "ip": status.get("podIP", ""),
                    "phase": status.get("phase", ""),
                }
            )
    return [
        {
            "name": node.name,
            "pool": node.pool,
            "size": node.instance_type,
            "zone": node.zone,
            "ip": node.ip,
            "ip6": node.ip6 or "",
            "pods": pods[node.name],
        }
        for node in lab.spec.nodes
    ]


def _frontends(store: Store) -> list[dict[str, object]]:
    """The addresses of LoadBalancer Services; several Services may share one."""
    found: dict[str, dict[str, object]] = {}
    for revision in store.revisions(SERVICES):
        service = revision.value
        annotations = service["metadata"].get("annotations") or {}
        name = f"{service['metadata']['namespace']}/{service['metadata']['name']}"
        status = service.get("status", {}).get("loadBalancer", {})
        for ingress in status.get("ingress") or []:
            entry = found.setdefault(
                ingress["ip"],
                {
                    "ip": ingress["ip"],
                    "internal": annotations.get(_INTERNAL, "").lower() == "true",
                    "services": [],
                },
            )
            services = entry["services"]
            assert isinstance(services, list)
            services.append(name)
    return [found[ip] for ip in sorted(found)]
