"""A cluster without a network: an API server in memory whose pods are ready as soon as they exist.

For tests of what the fixtures create, when, and what becomes of it. Nothing runs in its pods.
"""

import itertools
import threading
from pathlib import Path

from tests.unit.cluster.scripted_api import Answer, Json, Request, Route, ScriptedApi, status

NODES = ("node-a", "node-b", "node-c")
_POOLS = {"node-a": "system", "node-b": "user", "node-c": "user"}


class _EveryRoute(dict[tuple[str, str], Route]):
    """Routes of which one serves all."""

    def __init__(self, route: Route) -> None:
        super().__init__()
        self._route = route

    def get(self, key: object, default: object = None) -> Route:
        return self._route


class MiniCluster(ScriptedApi):
    """`objects` maps paths to what exists; `history` has (verb, path) of every change."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, Json] = {}
        self.history: list[tuple[str, str]] = []
        self.created: dict[str, Json] = {}
        self._guard = threading.Lock()
        self._uids = itertools.count(1)
        self.routes = _EveryRoute(self._serve)
        for index, name in enumerate(NODES):
            self.objects[f"/api/v1/nodes/{name}"] = _node(name, index)

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
                    return self._delete(request.path)
                case _:
                    return self._read(request)

    def _create(self, request: Request) -> Answer:
        made = request.body
        path = f"{request.path}/{made['metadata']['name']}"
        made["metadata"] |= {"uid": f"uid-{next(self._uids)}", "resourceVersion": "1"}
        if request.path.endswith("/pods"):
            _run(made, len(self.created))
        if request.path.endswith("/services"):
            made["spec"].setdefault("clusterIP", "10.0.0.77")
        self.objects[path] = self.created[path] = made
        self.history.append(("POST", path))
        return 201, made

    def _delete(self, path: str) -> Answer:
        if path not in self.objects:
            return status(404, "NotFound", f"{path} not found")
        self.history.append(("DELETE", path))
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
        known = {"nodes", "namespaces", "pods", "daemonsets", "services", "servicecidrs", "events"}
        if last not in known:
            return status(404, "NotFound", f"{request.path} not found")
        items = [
            found
            for path, found in self.objects.items()
            if path.rpartition("/")[0] == request.path
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
