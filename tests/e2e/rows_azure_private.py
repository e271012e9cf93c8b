"""Rows of azure/: private endpoints, private zones, and who stands between them and pods."""

from dataclasses import replace

from pytest_aksnet.lab.faults.private_link import FORMER_ADDRESS
from tests.e2e import rows_dns, rows_private_link
from tests.e2e.fault_matrix import Row

_ARM = ("--aksnet-lab-arm",)
_CUSTOM_DNS = ("custom-dns=true",)
_PRIVATE_API = ("egress=none",)
_ZONE = "privatelink.blob.core.windows.net"
_NO_LINK = {"azure.links-completed"}
_LINKED = ("private-zone-unlinked", ())
_MISSING = ("private-record-missing", ())
_PENDING = ("private-endpoint-pending", ())
# What faults do that ARM tells as well they do whether it is asked or not; what is new here does to
# clients of endpoints what another fault does.
_LIKE = {
    ("private-zone-unlinked", ()): _LINKED,
    ("private-zone-unlinked", _PRIVATE_API): ("private-record-missing", _PRIVATE_API),
    ("private-link-in-progress", ()): _LINKED,
    ("private-record-missing", ()): _MISSING,
    ("private-zone-split", ()): _MISSING,
    ("private-record-stale", ()): ("private-record-stale", ()),
    ("private-zone-group-missing", ()): ("private-record-stale", ()),
    ("private-endpoint-pending", ()): _PENDING,
    ("private-endpoint-rejected", ()): _PENDING,
    ("nsg-blocks-private-endpoints", ()): _PENDING,
    ("custom-dns-split-brain", _CUSTOM_DNS): ("custom-dns-split-brain", _CUSTOM_DNS),
    ("custom-dns-down", _CUSTOM_DNS): ("custom-dns-down", _CUSTOM_DNS),
}
_AS_WITHOUT_ARM = tuple(
    replace(
        row,
        fault=fault,
        options=_ARM,
        quick=False,
        names_cause=(*row.names_cause, FORMER_ADDRESS, "not linked"),
    )
    for (fault, settings), like in _LIKE.items()
    for topic in (rows_dns, rows_private_link)
    for row in topic.ROWS
    if row.mode == "overlay" and (row.fault, row.settings) == like
)

ROWS = (
    *_AS_WITHOUT_ARM,
    Row(
        fault="custom-dns-down",
        options=_ARM,
        settings=_CUSTOM_DNS,
        fails={"private-link.vnet-servers-agree"},
        names_cause=("10.225.0.11",),
    ),
    Row(
        fault="private-zone-unlinked",
        options=_ARM,
        fails={"azure.zones-linked"},
        names_cause=(f"the private DNS zone {_ZONE} is not linked to vnet-aksnet-lab",),
        skips=_NO_LINK,
        quick=True,
    ),
    Row(
        fault="private-zone-unlinked",
        options=_ARM,
        settings=_PRIVATE_API,
        fails={"azure.zones-linked", "azure.private-api-server", "azure.api-server-name"},
        names_cause=("is not linked to vnet-aksnet-lab", "must resolve"),
        skips=_NO_LINK,
    ),
    Row(
        fault="private-link-in-progress",
        options=_ARM,
        fails={"azure.zones-linked", "azure.links-completed"},
        names_cause=("InProgress",),
    ),
    Row(
        fault="custom-dns-split-brain",
        options=_ARM,
        settings=_CUSTOM_DNS,
        fails={"azure.custom-dns-in-the-way"},
        names_cause=("10.225.0.11, a DNS server of vnet-aksnet-lab (dhcpOptions.dnsServers)",),
        quick=True,
    ),
    Row(
        fault="custom-dns-down",
        options=_ARM,
        settings=_CUSTOM_DNS,
        fails={"azure.custom-dns-in-the-way"},
        names_cause=("10.225.0.11, a DNS server of vnet-aksnet-lab (dhcpOptions.dnsServers)",),
    ),
    Row(
        fault="private-record-stale",
        options=_ARM,
        fails={"azure.records-are-endpoints", "azure.no-dangling-records"},
        names_cause=(f"the record aksnetlab.{_ZONE} says 10.226.0.250",),
    ),
    Row(
        fault="private-record-missing",
        options=_ARM,
        fails={"azure.records-are-endpoints"},
        names_cause=(f"zone {_ZONE} should have the record aksnetlab.{_ZONE} with 10.226.0.5",),
    ),
    Row(
        fault="private-record-missing",
        options=_ARM,
        settings=_PRIVATE_API,
        fails={"azure.records-are-endpoints", "azure.private-api-server"},
        names_cause=("should have the record", "has no record of it"),
    ),
    Row(
        fault="private-record-dangling",
        options=_ARM,
        fails={"azure.no-dangling-records"},
        names_cause=(f"the record formeraccount.{_ZONE} says 10.226.0.251",),
    ),
    Row(
        fault="private-zone-group-missing",
        options=_ARM,
        fails={
            "azure.endpoints-have-zone-groups",
            "azure.records-are-endpoints",
            "azure.no-dangling-records",
        },
        names_cause=("pe-aksnetlab has no private DNS zone group", f"the record aksnetlab.{_ZONE}"),
        quick=True,
    ),
    Row(
        fault="private-zone-split",
        options=_ARM,
        fails={"azure.one-zone-per-name", "azure.records-are-endpoints"},
        names_cause=(
            f"there are 2 private DNS zones {_ZONE}",
            f"should have the record aksnetlab.{_ZONE}",
        ),
    ),
    Row(
        fault="private-endpoint-pending",
        options=_ARM,
        fails={"azure.endpoints-approved"},
        names_cause=("the private endpoint pe-aksnetlab (blob) should be Approved and is Pending",),
        skips={"azure.endpoint-subnet-reachable"},
    ),
    Row(
        fault="nsg-blocks-private-endpoints",
        options=_ARM,
        fails={"azure.endpoint-subnet-reachable"},
        names_cause=("rule DenyHttpsIn of security group private-endpoints-nsg denies it",),
    ),
    Row(
        fault="private-endpoint-rejected",
        options=_ARM,
        fails={"azure.endpoints-approved"},
        names_cause=(
            "the private endpoint pe-aksnetlab (blob) should be Approved and is Rejected",
        ),
        skips={"azure.endpoint-subnet-reachable"},
    ),
)
