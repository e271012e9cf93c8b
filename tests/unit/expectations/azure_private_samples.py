"""Private endpoints, their zones and who asks for their names, for tests to change."""

from collections.abc import Mapping
from dataclasses import replace

from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.expectations.azure_private_names import (
    Askers,
    NameSeen,
)
from pytest_aksnet.model.azure_private import (
    EndpointName,
    Found,
    PrivateEndpoint,
    PrivateZone,
    Unread,
    ZoneGroup,
    ZoneLink,
    ZoneRecord,
)
from pytest_aksnet.model.azure_vnet import VirtualNetwork
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations import azure_samples as samples

PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
GROUP = "/subscriptions/s1/resourcegroups/rg/providers/microsoft.network"
VNET, HUB = f"{GROUP}/virtualnetworks/vnet", f"{GROUP}/virtualnetworks/hub"
NAME, ALIAS = "acct.blob.core.windows.net", "acct.privatelink.blob.core.windows.net"
ZONE = PrivateZone(
    id=f"{GROUP}/privatednszones/privatelink.blob.core.windows.net",
    name="privatelink.blob.core.windows.net",
)
TWIN = replace(ZONE, id=ZONE.id.replace("/rg/", "/team/"))
LINK = ZoneLink(
    id=f"{ZONE.id}/virtualnetworklinks/to-vnet",
    zone=ZONE.id,
    vnet=VNET,
    state="Completed",
    provisioning_state="Succeeded",
    policy="Default",
)
IP = "10.1.2.5"
RECORD = ZoneRecord(id=f"{ZONE.id}/a/acct", zone=ZONE.id, name=ALIAS, addresses=(IP,))
ENDPOINT = PrivateEndpoint(
    id=f"{GROUP}/privateendpoints/pe",
    subnet=f"{VNET}/subnets/endpoints",
    target="/subscriptions/s1/resourcegroups/rg/providers/microsoft.storage/storageaccounts/acct",
    groups=("blob",),
    state="Approved",
    description="",
    provisioning_state="Succeeded",
    names=(EndpointName(name=NAME, addresses=(IP,)),),
    addresses=(IP,),
)
KEPT = ZoneGroup(
    id=f"{ENDPOINT.id}/privatednszonegroups/default",
    endpoint=ENDPOINT.id,
    zones=(ZONE.id,),
    provisioning_state="Succeeded",
)
HERE = Askers(own=(VNET,), vnets=(VNET,))
RANGES = ("10.1.0.0/16",)
AT_HUB = Askers(own=(VNET,), vnets=(HUB,), dns_servers=("10.9.0.4",))
ABROAD = Askers(own=(VNET,), vnets=(), dns_servers=("192.168.1.1",), strangers=("192.168.1.1",))
OWN_SERVER = Askers(own=(VNET,), vnets=(VNET,), dns_servers=("10.1.0.4",))
CLUSTER_ID = "/subscriptions/s1/resourcegroups/rg/providers/microsoft.containerservice/m/c"
API_ZONE = PrivateZone(
    id=f"{GROUP}/privatednszones/g.privatelink.westeurope.azmk8s.io",
    name="g.privatelink.westeurope.azmk8s.io",
)
API_NAME = f"c.{API_ZONE.name}"
CLUSTER = replace(
    samples.CLUSTER,
    id=CLUSTER_ID,
    private_fqdn=API_NAME,
    is_private=True,
    has_public_fqdn=False,
    private_zone="system",
    network=None,
)


def said(*addresses: str, status: DnsStatus = DnsStatus.NOERROR, alias: str = ALIAS) -> DnsAnswer:
    return DnsAnswer(
        name=NAME,
        qtype="A",
        status=status,
        addresses=addresses,
        cname_chain=(alias,) if alias else (),
    )


PRIVATE, PUBLIC = said(IP), said("203.0.113.9")
DENIED = said(status=DnsStatus.NXDOMAIN)
SILENT = said(status=DnsStatus.TIMEOUT, alias="")


def seen(
    pods: DnsAnswer,
    azure: DnsAnswer | None = None,
    servers: Mapping[str, DnsAnswer] | None = None,
) -> NameSeen:
    return NameSeen(
        name=NAME, expected=(IP,), pods={"n1": pods}, azure=azure, servers=servers or {}
    )


def found(*items: PrivateZone, unread: bool = False) -> Found[PrivateZone]:
    missing = (Unread(subscription="s2", why="403", action="x/read"),) if unread else ()
    return Found(items=items, subscriptions=("s1",), unread=missing)


def of_links(*links: ZoneLink) -> Found[ZoneLink]:
    return Found(items=links, subscriptions=("s1",))


def of_records(*records: ZoneRecord) -> Found[ZoneRecord]:
    return Found(items=records, subscriptions=("s1",))


def outcome(finding: Finding, resource: str = "") -> Outcome:
    assert finding.resource == resource
    return finding.verdict.outcome


def network(*servers: str) -> VirtualNetwork:
    peering = replace(samples.HUB, remote_vnet=HUB, remote_ranges=("10.9.0.0/16",))
    return VirtualNetwork(
        id=VNET, ranges=RANGES, dns_servers=servers, subnets=(), peerings=(peering,)
    )
