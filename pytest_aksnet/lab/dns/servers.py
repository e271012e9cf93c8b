"""Puts the lab's DNS servers together and starts them: CoreDNS replicas and Azure DNS."""

import asyncio

from pytest_aksnet.lab.dns.azure import AzureDns
from pytest_aksnet.lab.dns.cluster_zone import ClusterZone
from pytest_aksnet.lab.dns.coredns import CoreDns, CustomCorefile
from pytest_aksnet.lab.dns.forward import ATTEMPT_SECONDS, TOTAL_SECONDS, Forwarder
from pytest_aksnet.lab.dns.records import ClusterRecords
from pytest_aksnet.lab.dns.server import DnsServer
from pytest_aksnet.lab.spec import LabSpec


async def start_coredns(
    spec: LabSpec,
    records: ClusterRecords,
    netns_fd: int,
    *,
    attempt_seconds: float = ATTEMPT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
    custom: CustomCorefile | None = None,
) -> DnsServer:
    """A CoreDNS replica that listens in its pod's network namespace and forwards from there.

    `netns_fd` has to stay open until the server is stopped. Raises OSError.
    """
    upstream = Forwarder(
        spec.azure_dns_ip,
        netns_fd,
        attempt_seconds=attempt_seconds,
        total_seconds=total_seconds,
    )
    zone = ClusterZone(records, spec.cluster_domain)
    clock = asyncio.get_running_loop().time
    server = DnsServer(CoreDns(zone, upstream, clock=clock, custom=custom))
    await server.start(netns_fd)
    return server


async def start_azure_dns(spec: LabSpec, azure: AzureDns, netns_fd: int) -> DnsServer:
    """Azure DNS at its well-known address, which the namespace must have. Raises OSError."""
    server = DnsServer(azure)
    await server.start(netns_fd, spec.azure_dns_ip)
    return server
