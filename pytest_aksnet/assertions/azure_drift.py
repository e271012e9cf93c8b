"""Verbs about settings in Azure beside those that the site file wants."""

import time
from collections.abc import Mapping

from pytest_aksnet.assertions.azure_looker import AzureVerbs
from pytest_aksnet.expectations import azure_drift
from pytest_aksnet.expectations.azure_drift import Live, judge_drift, written
from pytest_aksnet.model.arm import Topic, Value
from pytest_aksnet.model.azure import CLUSTER, POOLS, ManagedCluster
from pytest_aksnet.model.azure_profile import Path, path_text
from pytest_aksnet.model.azure_routes import ROUTE_TABLES
from pytest_aksnet.model.azure_security import SECURITY_GROUPS
from pytest_aksnet.model.azure_vnet import PUBLIC_ADDRESSES, VNETS
from pytest_aksnet.model.command_line import shell_line
from pytest_aksnet.model.errors import ArmForbidden, ArmUnanswered, NotApplicable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.resource_id import shown_by

_HOW = (
    "the site file has no section [azure_profile]; the evidence of this check has it as the "
    "cluster is now, to be pasted there"
)
Refused = ArmForbidden | ArmUnanswered


class AzureDriftVerbs(AzureVerbs):
    """What `Arm` says of drift."""

    def assert_profile_as_wanted(self) -> FactSheet:
        """Every setting of [azure_profile] in the site file is what ARM has.

        The section as of now is kept as evidence, in TOML. Raises NotApplicable where the site file
        has none.
        """
        wanted = self._engine.site.azure_profile
        cluster = self.read(CLUSTER)
        live, refused = self._live(cluster)
        self._keep(written(live), refused)
        if not wanted:
            raise NotApplicable(_HOW)
        seen = {path: value for path, value in wanted.items() if path[0] not in refused}
        facts = {
            path_text(path): f"{value} wanted, {live[path].value if path in live else 'not shown'}"
            for path, value in seen.items()
        }
        sheet = FactSheet(what="settings", source="Azure Resource Manager: settings", facts=facts)
        if seen:
            sheet = self.judge("settings", facts, judge_drift(seen, live), shows=cluster.id)
        for path in wanted:
            if path[0] in refused:
                raise refused[path[0]]
        return sheet

    def _live(self, cluster: ManagedCluster) -> tuple[dict[Path, Live], dict[str, Refused]]:
        """All settings that can be read, and what refused the others, by their first key."""
        refused: dict[str, Refused] = {}

        def read(topic: Topic[Value], *keys: str) -> Value | None:
            try:
                return self.read(topic)
            except (ArmForbidden, ArmUnanswered) as error:
                refused.update(dict.fromkeys(keys, error))
                return None

        pools = read(POOLS, "pools")
        vnets = read(VNETS, "subnets", "dns_servers")
        groups = read(SECURITY_GROUPS, "security_groups")
        tables = read(ROUTE_TABLES, "route_tables")
        addresses = read(PUBLIC_ADDRESSES, "outbound_ips")
        live = (
            azure_drift.of_cluster(cluster)
            | azure_drift.of_outbound(cluster, addresses or ())
            | azure_drift.of_pools(pools or ())
            | azure_drift.of_networks(vnets or (), groups, tables)
            | azure_drift.of_groups(groups or ())
            | azure_drift.of_tables(tables or ())
        )
        return live, refused

    def _keep(self, text: str, refused: Mapping[str, Exception]) -> None:
        """Leave the section as evidence."""
        argv = shown_by(self.read(CLUSTER).id)
        self._engine.recorder.attempt(
            Attempt(
                role="azure",
                source="[azure_profile] as of now, for the site file",
                command_line=shell_line(argv),
                started=time.time(),
                execution=Completed(
                    argv=argv,
                    exit_code=0,
                    stdout=text,
                    stderr="; ".join(map(str, refused.values())),
                    duration_s=0.0,
                ),
                observation=None,
                verdict=None,
            )
        )
