"""What is done once for a whole run, by the controller or the single process: begin it and end it.

Nobody else takes the run's Lease, removes namespaces, or tells the report about the cluster.
"""

import re
import threading
from collections.abc import Callable, Sequence

from pytest_aksnet.report.results import ClusterInfo, NodeInfo, profile_facts
from pytest_aksnet.report.run import RunReport
from pytest_aksnet.run_lease import RunLease
from pytest_aksnet.session import AksnetSession
from pytest_aksnet.shared_local import LocalShared

_SUBSCRIPTION = re.compile(r"/subscriptions/[^/]+", re.IGNORECASE)


class WholeRun:
    """The run of this session, which is that of the controller or of the single process."""

    def __init__(self, session: AksnetSession, shared: LocalShared) -> None:
        self.shared = shared
        self._session = session
        self._lease: RunLease | None = None

    @property
    def azure_scopes(self) -> tuple[str, ...]:
        """The subscriptions of Azure that the cluster is in, as scopes; empty if unknown."""
        named = self._session.settings.resource_id
        known: Sequence[str] = (named,) if named else ()
        if not known and self.shared.is_open:
            known = self.shared.opening().provider_ids
        found = (_SUBSCRIPTION.search(text) for text in known)
        return tuple(sorted({one[0].lower() for one in found if one}))

    def begin(self, say: Callable[[str], None]) -> None:
        """Take the run's Lease, before anything is created; waits for other runs' end if need be.

        `say` is told what the user should know. Raises SettingsError where the run is not to go on.
        """
        if self._lease is None and self.shared.is_open:
            session = self._session
            self._lease = RunLease(session.cluster, session.settings, session.run_id)
            self._lease.take(say)

    def end(self, hurry: threading.Event, *, lost: bool) -> list[str]:
        """Remove what all processes of the run created; problems with that, in words.

        The lab needs no clearing away: it vanishes as a whole. What --aksnet-keep keeps is named,
        and nothing is removed then. Once `hurry` is set, nothing is waited for any longer. `lost`
        is whether a process of the run was lost, and with it the knowledge of where it was at work.
        """
        if not self.shared.is_open:
            return []
        self.shared.end()
        problems: list[str] = []
        if self.shared.names_kept:
            problems.append(
                f"kept, remove by --aksnet-cleanup: {', '.join(self.shared.names_kept)}"
            )
        elif self.shared.has_made and not self._session.settings.is_lab:
            scope = self._session.scope
            for namespace in self.shared.outside:
                scope.uses(namespace)
            left = scope.close(hurry=hurry, everywhere=lost).left
            problems += [f"not removed: {name}: {why}" for name, why in left.items()]
        if self._lease is not None:
            problems += self._lease.release()
        return problems

    def tell(self, report: RunReport) -> None:
        """Tell the report what this run read from the cluster."""
        report.count_retries(self._session.retries_elsewhere())
        if not self.shared.is_open:
            return
        session, opening, profile = self._session, self.shared.opening(), self.shared.profile_read
        report.learn_azure(self.azure_scopes)
        report.learn(
            ClusterInfo(
                server=session.cluster.server,
                context=session.cluster.context,
                nodes=tuple(
                    NodeInfo(
                        name=node.name,
                        pool=node.pool,
                        zone=node.zone,
                        instance_type=node.instance_type,
                        addresses=node.addresses,
                    )
                    for node in opening.nodes
                ),
                left_out=opening.left_out,
                rights_missing=tuple(sorted(map(str, self.shared.found.denied))),
            ),
            profile_facts(profile) if profile is not None else {},
        )
