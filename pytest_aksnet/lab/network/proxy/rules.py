"""The service proxy of a node, whichever it is: Services in, what to write out."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pytest_aksnet.lab.network.iptables import Tables
from pytest_aksnet.lab.network.proxy import cilium, nftables
from pytest_aksnet.lab.network.proxy.cilium import cilium_program
from pytest_aksnet.lab.network.proxy.iptables import iptables_rules
from pytest_aksnet.lab.network.proxy.nftables import nftables_program
from pytest_aksnet.lab.network.proxy.node import ProxyNode
from pytest_aksnet.lab.network.tables import TableProgram
from pytest_aksnet.lab.network_views import ServicePortView
from pytest_aksnet.lab.spec import LabSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyRules:
    """What a proxy has on its node in one address family: iptables, or a table of nftables."""

    iptables: Tables = field(default_factory=dict)
    table: TableProgram | None = None


def proxy_table(spec: LabSpec) -> str:
    """The name of the nftables table that the lab's proxy has, if it has one."""
    return nftables.TABLE if spec.kube_proxy else cilium.TABLE


def proxy_rules(spec: LabSpec, services: Iterable[ServicePortView], node: ProxyNode) -> ProxyRules:
    """What the lab's proxy writes on a node for these Services."""
    if spec.kube_proxy == "iptables":
        return ProxyRules(iptables=iptables_rules(services, node))
    if spec.kube_proxy == "nftables":
        return ProxyRules(table=nftables_program(services, node))
    return ProxyRules(table=cilium_program(spec, services, node))
