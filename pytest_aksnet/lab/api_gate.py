"""Who may connect to the API server: the authorized ranges of the managed cluster.

Others get no answer, but for the outbound addresses of the cluster's own load balancer, which AKS
lets in unlisted (AKS docs: api-server-authorized-ip-ranges). New connections only, so that what is
open lives on.
"""

from collections.abc import Mapping

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.network.tables import TableProgram, TableWriter, address_set

API_SERVER = "api-server"
_PORT = 443


class ApiGate:
    """That of one lab; it follows the resources."""

    def __init__(self, azure: AzureState, machines: Mapping[str, Sandbox]) -> None:
        self._azure = azure
        self._machines = machines
        self._table: TableWriter | None = None
        azure.subscribe(self._follow)
        self._follow()

    def _follow(self) -> None:
        ranges = self._azure.managed.authorized_ranges
        if self._table is None:
            if not ranges:
                return
            nft = Nftables(self._machines[API_SERVER].netns_fd)
            self._table = TableWriter(nft, "authorized-ranges", "inet")
        self._table.write(_program([*ranges, *self._unlisted()]) if ranges else None)

    def _unlisted(self) -> list[str]:
        rule = self._azure.outbound_rule
        names = rule.public_addresses if rule is not None else ()
        return [self._azure.public_addresses[name].ip for name in names]


def _program(ranges: list[str]) -> TableProgram:
    return TableProgram(
        base=f"""chain inbound {{
            type filter hook input priority -5
            tcp dport {_PORT} ct state new ip saddr != {{ {address_set(ranges)} }} drop
        }}"""
    )
