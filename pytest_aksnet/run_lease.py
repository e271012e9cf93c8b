"""Two runs on one cluster: how the second waits, refuses or shares, as --aksnet-second-run says.

Owns what is said about it. A run holds its Lease from before its first test to its end; whoever
measures bandwidth holds another one, across processes, runs and CI jobs.
"""

from collections.abc import Callable

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.lease import Lease
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem, SettingsError
from pytest_aksnet.needs import BANDWIDTH_LEASE, RUN_LEASE
from pytest_aksnet.options import Settings

_FORBIDDEN, _NOT_FOUND = 403, 404


class RunLease:
    """The Lease of a whole run; of its processes the one holds it that the others end with."""

    def __init__(self, cluster: Cluster, settings: Settings, run_id: str) -> None:
        self._settings = settings
        self._lease = Lease(
            cluster, namespace=settings.lease_namespace, name=RUN_LEASE, run_id=run_id
        )
        self._forsaken = bandwidth_lease(cluster, settings, run_id)

    def take(self, say: Callable[[str], None]) -> None:
        """Make sure that no other run is disturbed; `say` is told what the user should know.

        Raises SettingsError where another run holds the cluster and this one is to refuse, or
        where the Lease cannot be used.
        """
        try:
            if self._settings.second_run == "wait":
                self._lease.take(
                    lambda holder: say(
                        f"waiting for another run on this cluster to end: {holder}; "
                        "--aksnet-second-run=refuse ends at once instead, share runs beside it"
                    )
                )
                return
            holder = self._lease.ask()
        except ApiRefused as refused:
            if refused.status != _FORBIDDEN:
                raise self._unusable(refused) from refused
            say(
                f"this user may not use Leases in namespace {self._lease.namespace}: other runs "
                f"on this cluster are not noticed ({refused})"
            )
            return
        except EnvironmentProblem as problem:
            raise self._unusable(problem) from problem
        if holder and self._settings.second_run == "refuse":
            raise SettingsError(
                f"--aksnet-second-run=refuse: another run uses this cluster: {holder}; wait for "
                "its end (wait), run beside it (share), or remove what it left if it was killed "
                "(--aksnet-cleanup)"
            )
        if holder:
            say(f"sharing the cluster with another run: {holder}")

    def release(self) -> list[str]:
        """Give it back; problems with that, and that it was lost meanwhile, in words.

        So is the Lease of bandwidth, if a process of this run was lost or interrupted with it.
        """
        lost = self._lease.lost
        left = (self._forsaken.remove_forsaken(), self._lease.release())
        problems = [problem for problem in left if problem]
        if lost:
            problems.append(f"another run may have been on the cluster at the same time: {lost}")
        return problems

    def _unusable(self, problem: EnvironmentProblem) -> SettingsError:
        where = f"--aksnet-lease-namespace={self._lease.namespace}"
        if isinstance(problem, ApiRefused) and problem.status == _NOT_FOUND:
            return SettingsError(f"{where}: choose a namespace that exists ({problem})")
        return SettingsError(f"{where}: the Lease {RUN_LEASE} cannot be used: {problem}")


def bandwidth_lease(cluster: Cluster, settings: Settings, run_id: str) -> Lease:
    """The Lease of whoever measures bandwidth on this cluster, not taken yet."""
    return Lease(cluster, namespace=settings.lease_namespace, name=BANDWIDTH_LEASE, run_id=run_id)
