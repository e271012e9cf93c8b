"""Whether a run could do here what it wants to do: asked before anything is created.

Reviews rights, and lets the API server admit a namespace of the run in a dry run, which shows
admission webhooks and what they change, and stores nothing. What cannot be found out is left to the
run: it is never held against the cluster.
"""

from collections.abc import Callable, Iterable, Mapping

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.pod_security import LEVELS, why_not_admitted
from pytest_aksnet.cluster.rights import review_rights
from pytest_aksnet.cluster.scope import ENFORCE_LABEL
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem
from pytest_aksnet.model.rights import Preflight, Right, Where

_NAMESPACES = "/api/v1/namespaces"
_CREATE_NAMESPACES = Right(resource="namespaces", verb="create", where=Where.CLUSTER)


def look_ahead(
    cluster: Cluster,
    *,
    rights: Iterable[Right],
    places: Mapping[Where, str],
    namespace: Callable[[str], Json] | None,
    host_network: bool,
    pods: Mapping[str, Json],
) -> Preflight:
    """What stands against a run. Creates nothing and never raises.

    `places` names the namespaces of the rights. `namespace` gives the manifest of a namespace of
    the run for a PodSecurity level, None where the run makes none. With `host_network` pods on
    their nodes' network are wanted. `pods` are manifests of the kinds of pods that the run makes,
    by the class of actions that each takes ("" for none).
    """
    reviewed = review_rights(cluster, rights, places)
    if namespace is None or _CREATE_NAMESPACES in reviewed.denied:
        return Preflight(denied=reviewed.denied, unknown=reviewed.unknown)
    refusals: dict[str, str] = {}
    level = ""
    for wanted in ("privileged", "baseline") if host_network else ("baseline",):
        level, refusal = _dry_run(cluster, namespace(wanted), wanted)
        if not refusal:
            break
        refusals[wanted] = refusal
    else:
        return Preflight(
            denied=reviewed.denied,
            unknown=reviewed.unknown,
            no_namespace=f"needs namespaces of the run, which are refused ({refusals['baseline']})",
        )
    because = f"; privileged is refused: {refusals['privileged']}" if refusals else ""
    impossible = {
        action: why + because
        for action, manifest in pods.items()
        if (why := why_not_admitted(manifest["spec"], level))
    }
    plain = impossible.pop("", "")
    return Preflight(
        denied=reviewed.denied,
        unknown=reviewed.unknown,
        no_namespace=f"needs pods that may not be here: {plain}" if plain else "",
        level=level,
        impossible=impossible,
    )


def _dry_run(cluster: Cluster, namespace: Json, wanted: str) -> tuple[str, str]:
    """The level that such a namespace gets, and why it is refused (empty where it is not)."""
    try:
        made = cluster.rest.create(_NAMESPACES, namespace, dry_run=True)
    except ApiRefused as refused:
        # A webhook chooses its code, and one that knows no dry run is no refusal (400 too).
        if refused.status in (403, 422) or "denied the request" in str(refused):
            return "", str(refused)
        return wanted, ""
    except EnvironmentProblem:
        return wanted, ""
    level = str((made["metadata"].get("labels") or {}).get(ENFORCE_LABEL, ""))
    return level if level in LEVELS else wanted, ""
