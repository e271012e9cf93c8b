"""The servers that a cluster finds around it: Azure's at its own addresses, and hosts outside.

Owns which of them a lab has and in what order they start; all are up before anything of the cluster
runs, as in Azure.
"""

from collections.abc import Mapping

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.dns.server import DnsServer
from pytest_aksnet.lab.dns.servers import DnsServers
from pytest_aksnet.lab.dns.whoami import WhoAmI
from pytest_aksnet.lab.imds import Imds
from pytest_aksnet.lab.middlebox import Middlebox
from pytest_aksnet.lab.outside import TLS_PORT, OutsideServer, certificate_names
from pytest_aksnet.lab.spec import LabSpec
from pytest_aksnet.lab.tls import Authority
from pytest_aksnet.lab.wire_server import WireServer

INTERNET = "internet"
"""The host on the internet that serves HTTP, HTTPS and DNS."""


async def start_platform(
    azure: AzureState, dns: DnsServers, machines: Mapping[str, Sandbox], fabric_fd: int
) -> None:
    """Start DNS, IMDS and the wire server. Raises OSError.

    `fabric_fd` is a descriptor of the network namespace where Azure's own addresses are.
    """
    await dns.start_azure(fabric_fd)
    descriptors = {name: one.netns_fd for name, one in machines.items()}
    await dns.start_custom(descriptors)
    await dns.start_local(descriptors)
    await Imds(azure).start(fabric_fd)
    await WireServer().start(fabric_fd, azure.spec.azure_dns_ip)


async def start_outside(
    spec: LabSpec, machines: Mapping[str, Sandbox], authority: Authority, middlebox: Middlebox
) -> None:
    """Start the HTTP servers of the hosts outside, and a name server beside one. Raises OSError.

    The `middlebox` may come between clients and those on the internet, or private endpoints.
    """
    await DnsServer(WhoAmI(spec.whoami_name)).start(machines[INTERNET].netns_fd)
    for host in spec.hosts:
        if not host.http_ports:
            continue
        tls = None
        if TLS_PORT in host.http_ports:
            names = certificate_names(spec, host)
            tls = authority.server_context(names, (host.ip,))
            endpoints = {endpoint.ip for endpoint in spec.private_endpoints}
            if host.domain == "internet" or host.ip in endpoints:
                middlebox.guard(host.name, tls, private=host.ip in endpoints)
        await OutsideServer(host, tls=tls).start(machines[host.name].netns_fd)
