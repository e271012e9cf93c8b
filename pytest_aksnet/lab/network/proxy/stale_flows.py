"""Which tracked UDP flows kube-proxy deletes when endpoints change (pkg/proxy/conntrack).

UDP has no end, so a flow that goes on would keep the endpoint that was chosen for its first packet:
one that is gone, or none at all where there was nobody to serve it then.
"""

from collections.abc import Iterable, Iterator

from pytest_aksnet.lab.kernel.conntrack import UDP, FlowFilter
from pytest_aksnet.lab.network_views import ServicePortView

PortIdentity = tuple[str, str, str, str]


def identity(service: ServicePortView) -> PortIdentity:
    """What stays the same of a Service port while it changes."""
    return service.namespace, service.service, service.port_name, service.cluster_ip


def stale_udp_flows(
    before: Iterable[ServicePortView], after: Iterable[ServicePortView]
) -> list[FlowFilter]:
    """The flows to endpoints that went, and those to ports that nobody served before."""
    olds = {identity(one): one for one in before if one.protocol.lower() == "udp"}
    news = {identity(one): one for one in after if one.protocol.lower() == "udp"}
    filters: list[FlowFilter] = []
    for key, old in olds.items():
        gone = _serving(old) - (_serving(news[key]) if key in news else set())
        for ip in sorted(gone):
            filters += _flows(old, reply_source=ip)
    for key, new in news.items():
        served_before = _serving(olds[key]) if key in olds else set()
        if _serving(new) and not served_before:
            filters += _flows(new)
    return filters


def _serving(service: ServicePortView) -> set[str]:
    return {one.ip for one in (*service.endpoints, *service.draining)}


def _flows(service: ServicePortView, reply_source: str | None = None) -> Iterator[FlowFilter]:
    for ip in (service.cluster_ip, *service.load_balancer_ips):
        yield FlowFilter(protocol=UDP, destination=ip, reply_source=reply_source)
    if service.node_port:
        yield FlowFilter(
            protocol=UDP,
            destination_port=service.node_port,
            reply_source=reply_source,
            version=6 if ":" in service.cluster_ip else 4,
        )
