"""A cluster without a network: an API server in memory whose pods are ready as soon as they exist.

For tests of what the fixtures create, when, and what becomes of it. Nothing runs in its pods.
"""

import itertools
import threading
from pathlib import Path

from tests.unit.cluster.scripted_api import Answer, Json, Request, Route, ScriptedApi, status

NODES = ("node-a", "node-b", "node-c")
_LISTED = frozenset(
    {
        *("nodes", "namespaces", "pods", "daemonsets", "services", "servicecidrs", "events"),
        *("networkpolicies", "leases"),
    }
)
_POOLS = {"node-a": "system", "node-b": "user", "node-c": "user"}


class _EveryRoute(dict[tuple[str, str], Route]):
    """Routes of which one serves all."""

    def __init__(self, route: Route) -> None:
        super().__init__()
        self._route = route

    def get(self, key: object, default: object = None) -> Route:
        return self._route


class MiniCluster(ScriptedApi):
    """`objects` maps paths to what exists; `history` has (verb, path) of every change.

    The Leases by which runs know of each other are not in the history.

    `denied` has rights that the user has not, such as "create pods/exec".
    """

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, Json] = {}
        self.history: list[tuple[str, str]] = []
        self.created: dict[str, Json] = {}
        self.denied: set[str] = set()
        self._guard = threading.Lock()
        self._uids = itertools.count(1)
        self.routes = _EveryRoute(self._serve)
        for index, name in enumerate(NODES):
            self.objects[f"/api/v1/nodes/{name}"] = _node(name, index)

    def admits(self, made: Json) -> Answer:
        """What admission says to a dry run. A test may put another function here."""
        return 201, made

    def answer_all(self, route: Route) -> None:
        """Let this function answer every request; None of it is a cut connection."""
        self.routes = _EveryRoute(route)

    def may(self, spec: Json) -> bool:
        asked = spec["resourceAttributes"]
        kind = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
        return f"{asked['verb']} {kind}" not in self.denied

    def kubeconfig(self, folder: Path) -> str:
        """Write a kubeconfig of this cluster and give its path."""
        path = folder / "kubeconfig"
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: mini\n"
            "contexts: [{name: mini, context: {cluster: c, user: u}}]\n"
            f"clusters: [{{name: c, cluster: {{server: '{self.url}'}}}}]\n"
            "users: [{name: u, user: {token: abc}}]\n",
            encoding="utf-8",
        )
        return str(path)

    def kinds(self, verb: str) -> list[str]:
        """The kinds of the objects that were created or deleted, in order."""
        return [path.split("/")[-2] for made, path in self.history if made == verb]

    def left(self) -> list[str]:
        """The paths of what a run has left."""
        return [path for path in self.objects if "/nodes/" not in path]

    def _serve(self, request: Request) -> Answer:
        with self._guard:
            match request.method:
                case "POST":
                    return self._create(request)
                case "DELETE":
                    return self._refuse_other(request) or self._delete(request.path)
                case "PUT":
                    return self._replace(request)
                case _:
                    return self._read(request)

    def _create(self, request: Request) -> Answer:
        made = request.body
        if request.path.endswith("/selfsubjectaccessreviews"):
            return 201, {**made, "status": {"allowed": self.may(made["spec"])}}
        if request.query.get("dryRun") == "All":
            return self.admits(made)
        path = f"{request.path}/{made['metadata']['name']}"
        if path in self.objects:
            return status(409, "AlreadyExists", f"{path} already exists")
        number = next(self._uids)
        made["metadata"] |= {"uid": f"uid-{number}", "resourceVersion": str(number)}
        if request.path.endswith("/pods"):
            _run(made, len(self.created))
        if request.path.endswith("/services"):
            made["spec"].setdefault("clusterIP", "10.0.0.77")
        self.objects[path] = self.created[path] = made
        self._note("POST", path)
        return 201, made

    def _note(self, verb: str, path: str) -> None:
        if "/leases/" not in path:
            self.history.append((verb, path))

    def _replace(self, request: Request) -> Answer:
        found, made = self.objects.get(request.path), request.body
        if found is None:
            return status(404, "NotFound", f"{request.path} not found")
        before = found["metadata"]
        if made["metadata"].get("resourceVersion") != before["resourceVersion"]:
            return status(409, "Conflict", "the object has been modified")
        made["metadata"] |= {"uid": before["uid"], "resourceVersion": str(next(self._uids))}
        self.objects[request.path] = made
        return 200, made

    def _refuse_other(self, request: Request) -> Answer | None:
        """The answer where an object is to be deleted only if it is another than it is."""
        metadata = self.objects.get(request.path, {}).get("metadata")
        wanted = (request.body.get("preconditions") or {}).items()
        if metadata and any(metadata.get(key) != value for key, value in wanted):
            return status(409, "Conflict", "Precondition failed")
        return None

    def _delete(self, path: str) -> Answer:
        if path not in self.objects:
            return status(404, "NotFound", f"{path} not found")
        self._note("DELETE", path)
        for below in [name for name in self.objects if name == path or f"{path}/" in name]:
            del self.objects[below]
        return 200, {}

    def _read(self, request: Request) -> Answer:
        if request.path == "/version":
            return 200, {"gitVersion": "v1.34.2"}
        if request.path in self.objects:
            return 200, self.objects[request.path]
        folder, _, last = request.path.rpartition("/")
        if last == "endpointslices":
            service = request.query["labelSelector"].partition("=")[2]
            return 200, _list([self._slice(folder, service)])
        if last not in _LISTED:
            return status(404, "NotFound", f"{request.path} not found")
        items = [
            found
            for path, found in self.objects.items()
            if _is_in(path, request.path)
            and _selected(found, request.query.get("labelSelector", ""))
        ]
        return 200, _list(items)

    def _slice(self, folder: str, service: str) -> Json:
        namespace = folder.split("/")[-1]
        found = self.objects[f"/api/v1/namespaces/{namespace}/services/{service}"]
        wanted = (found["spec"].get("selector") or {}).items()
        pods = [
            pod
            for path, pod in self.objects.items()
            if path.startswith(f"/api/v1/namespaces/{namespace}/pods/")
            and wanted <= pod["metadata"]["labels"].items()
        ]
        return {
            "ports": [{"port": 8080}],
            "endpoints": [
                {
                    "addresses": [pod["status"]["podIP"]],
                    "nodeName": pod["spec"]["nodeName"],
                    "conditions": {"ready": pod["status"]["conditions"][0]["status"] == "True"},
                }
                for pod in pods
            ],
        }


def _is_in(path: str, collection: str) -> bool:
    """Whether an object is in a collection of one namespace or of all."""
    *group, plural = collection.split("/")
    found = path.split("/")[:-1]
    return found == [*group, plural] or (
        found[-1] == plural and found[:-3] == group and found[-3] == "namespaces"
    )


def _list(items: list[Json]) -> Json:
    return {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": items}


def _selected(found: Json, selector: str) -> bool:
    labels = found["metadata"].get("labels") or {}
    terms = [term.partition("=") for term in selector.split(",") if term]
    return all(labels.get(key) == value if sign else key in labels for key, sign, value in terms)


def _node(name: str, index: int) -> Json:
    return {
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/os": "linux", "agentpool": _POOLS[name]},
        },
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": f"10.224.0.{index + 4}"}],
        },
    }


def _run(pod: Json, number: int) -> None:
    """What scheduler and kubelet would do."""
    required = pod["spec"]["affinity"]["nodeAffinity"]
    terms = required["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    node = terms[0]["matchFields"][0]["values"][0]
    never = "exec" in pod["spec"]["containers"][0].get("readinessProbe", {})
    pod["metadata"]["namespace"] = pod["metadata"].get("namespace", "")
    pod["spec"]["nodeName"] = node
    pod["status"] = {
        "phase": "Running",
        "podIP": f"10.244.{NODES.index(node)}.{number + 10}",
        "conditions": [{"type": "Ready", "status": "False" if never else "True"}],
        "containerStatuses": [{"name": "probe", "state": {"running": {}}}],
    }
