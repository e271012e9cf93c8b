"""What the injector makes of a pod: `istio-init`, the sidecar, and probes that go through it. Pure.

The sidecar is an init container that is restarted, as Istio's is where Kubernetes has them. Probes
of the application go to the sidecar, which asks in place of the kubelet: plain connections that the
mesh takes over say nothing of the application (Istio docs: Health Checking of Istio Services).
"""

import json

from pytest_aksnet.lab.api.objects import JsonObject

REVISION = "asm-1-27"
SECRET_PREFIX = "istio."
PROGRAM = "istio-proxy-program"
_IMAGE = "mcr.microsoft.com/oss/v2/istio/proxyv2:v1.27.3"
_INIT, _PROXY = "istio-init", "istio-proxy"
_FOLDER, _CERTIFICATES = "/srv/istio", "/etc/certs"
_HEALTH, _READY = 15020, 15021
_MOST_WAIT_S = 600
_PROBES = {"readinessProbe": "readyz", "livenessProbe": "livez", "startupProbe": "startupz"}
# The ports of the sidecar itself are left out; what it sends has its mark.
_REDIRECT = """
table ip istio;
delete table ip istio;
table ip istio {
  chain inbound {
    type nat hook prerouting priority dstnat;
    tcp dport { 15008, 15020, 15021, 15090 } return
    meta l4proto tcp redirect to :15006
  }
  chain outbound {
    type nat hook output priority -100;
    meta mark 1337 return
    oifname "lo" return
    meta l4proto tcp redirect to :15001
  }
}
"""


def wanted(namespace: JsonObject, pod: JsonObject) -> bool:
    """Whether a pod gets a sidecar (AKS docs: istio-deploy-addon, Enable sidecar injection)."""
    labels = namespace["metadata"].get("labels") or {}
    own = pod["metadata"].get("labels") or {}
    asked = labels.get("istio.io/rev") == REVISION or labels.get("istio-injection") == "enabled"
    if own.get("sidecar.istio.io/inject") == "false" or pod["spec"].get("hostNetwork"):
        return False
    return asked


def inject(pod: JsonObject, *, secret: str, identity: str, istiod: str) -> None:
    """Put the sidecar into a pod. `istiod` is HOST:PORT, `secret` has the certificate."""
    spec = pod["spec"]
    probers: JsonObject = {}
    for container in spec["containers"]:
        probers |= _rewritten(container)
    environment = {
        "SPIFFE_ID": identity,
        "ISTIOD": istiod,
        "CERTIFICATES": _CERTIFICATES,
        "ISTIO_KUBE_APP_PROBERS": json.dumps(probers),
    }
    address = {"name": "INSTANCE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    proxy: JsonObject = {
        "name": _PROXY,
        "image": _IMAGE,
        "restartPolicy": "Always",
        "command": ["python3", "-u", f"{_FOLDER}/proxy.py"],
        "env": [*({"name": name, "value": text} for name, text in environment.items()), address],
        "startupProbe": {
            "httpGet": {"path": "/healthz/ready", "port": _READY},
            "periodSeconds": 1,
            "failureThreshold": _MOST_WAIT_S,
        },
        "resources": {"requests": {"cpu": "10m", "memory": "40Mi"}},
        "securityContext": {"runAsUser": 1337, "runAsGroup": 1337},
        "volumeMounts": [
            {"name": PROGRAM, "mountPath": _FOLDER, "readOnly": True},
            {"name": "istio-certs", "mountPath": _CERTIFICATES, "readOnly": True},
        ],
    }
    init: JsonObject = {
        "name": _INIT,
        "image": _IMAGE,
        "command": ["nft", _REDIRECT],
        "resources": {"requests": {"cpu": "10m", "memory": "40Mi"}},
        "securityContext": {
            "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
            "runAsUser": 0,
            "runAsNonRoot": False,
        },
    }
    spec["initContainers"] = [init, proxy, *(spec.get("initContainers") or [])]
    spec["volumes"] = [
        *(spec.get("volumes") or []),
        {"name": PROGRAM, "configMap": {"name": PROGRAM}},
        {"name": "istio-certs", "secret": {"secretName": secret}},
    ]
    annotations = pod["metadata"].setdefault("annotations", {})
    annotations["istio.io/rev"] = REVISION
    annotations["sidecar.istio.io/status"] = json.dumps(
        {"initContainers": [_INIT, _PROXY], "containers": None, "revision": REVISION}
    )


def _rewritten(container: JsonObject) -> JsonObject:
    """Have the probes of a container go to the sidecar; what it is to ask, by path."""
    ports = {one.get("name"): one["containerPort"] for one in container.get("ports") or []}
    found: JsonObject = {}
    for kind, word in _PROBES.items():
        probe = container.get(kind) or {}
        action = probe.pop("tcpSocket", None) or probe.pop("httpGet", None)
        if action is None:
            continue
        path = f"/app-health/{container['name']}/{word}"
        port = action["port"]
        asked = {"port": ports.get(port, port)}
        if "path" in action:
            asked["path"] = action["path"]
        found[path] = asked
        probe["httpGet"] = {"path": path, "port": _HEALTH}
    return found
