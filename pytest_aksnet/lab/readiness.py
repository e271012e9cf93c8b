"""When a lab is ready: its cluster DNS runs, and a node reaches it through its service proxy."""

import asyncio

from pytest_aksnet.lab.api.journal import Subscription
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.cluster import COREDNS_REPLICAS
from pytest_aksnet.lab.controllers.endpoints import is_ready
from pytest_aksnet.lab.dns.forward import Forwarder
from pytest_aksnet.lab.dns.message import NOERROR, Question
from pytest_aksnet.lab.spec import LabSpec

_DNS_DEADLINE_SECONDS = 20.0
_DNS_PAUSE_SECONDS = 0.01


async def dns_pods_ready(store: Store) -> None:
    """Wait until all CoreDNS pods are ready."""
    ready: set[str] = set()
    subscription: Subscription = store.subscribe(PODS)
    try:
        async for change in subscription:
            labels = change.value["metadata"].get("labels") or {}
            if labels.get("k8s-app") == "kube-dns" and is_ready(change.value):
                ready.add(change.value["metadata"]["uid"])
            if len(ready) == COREDNS_REPLICAS:
                return
    finally:
        subscription.close()


async def dns_answers(spec: LabSpec, node_netns_fd: int) -> None:
    """Ask kube-dns from a node, through its service proxy, until it answers.

    Raises TimeoutError after 20 s.
    """
    client = Forwarder([spec.dns_service_ip], node_netns_fd, attempt_seconds=0.5)
    name = f"kubernetes.default.svc.{spec.cluster_domain}"
    async with asyncio.timeout(_DNS_DEADLINE_SECONDS):
        while True:
            answer = await client.resolve(
                Question(name=name, qtype=1, transport="udp", udp_size=512)
            )
            if answer.rcode == NOERROR and answer.answers:
                client.close()
                return
            await asyncio.sleep(_DNS_PAUSE_SECONDS)
