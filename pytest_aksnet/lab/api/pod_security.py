"""Pod Security admission: which pods the labels of a namespace refuse or warn about.

Pure. Checks and texts of "Pod Security Standards" as far as network tests meet them: profiles
for AppArmor, SELinux, sysctls and /proc are not looked at.
"""

from collections.abc import Iterable

from pytest_aksnet.lab.api import errors
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
    Resource,
)

_LABEL = "pod-security.kubernetes.io/"
_WORKLOADS = (DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS)
_DEFAULT_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_RESTRICTED_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_SECCOMP = ("RuntimeDefault", "Localhost")

Violation = tuple[str, str]


def enforce(namespace: JsonObject, resource: Resource, value: JsonObject) -> None:
    """Raise ApiError 403 where the namespace's enforce level refuses a pod."""
    level = _level(namespace, "enforce")
    if resource is not PODS or not level:
        return
    found = violations(level, value.get("spec") or {})
    if found:
        why = f'violates PodSecurity "{level}:latest": {_listed(found)}'
        raise errors.forbidden(resource, value["metadata"].get("name", ""), why)


def warnings(namespace: JsonObject, resource: Resource, value: JsonObject) -> list[str]:
    """What the namespace's warn level has to say about a pod or a pod template."""
    level = _level(namespace, "warn")
    spec = value.get("spec") or {}
    if resource in _WORKLOADS:
        spec = (spec.get("template") or {}).get("spec") or {}
    elif resource is not PODS:
        return []
    found = violations(level, spec) if level else []
    return [f'would violate PodSecurity "{level}:latest": {_listed(found)}'] if found else []


def _level(namespace: JsonObject, mode: str) -> str:
    labels = namespace["metadata"].get("labels") or {}
    level = str(labels.get(_LABEL + mode, ""))
    return level if level in ("baseline", "restricted") else ""


def _listed(found: Iterable[Violation]) -> str:
    return ", ".join(f"{check} ({detail})" for check, detail in found)


def violations(level: str, spec: JsonObject) -> list[Violation]:
    """(check, detail) of everything in a pod spec that a level forbids, in the usual order."""
    found: list[Violation] = []
    if level == "baseline":
        found += _added(spec, _DEFAULT_CAPABILITIES, "non-default capabilities")
    found += _baseline(spec)
    if level == "restricted":
        found += _restricted(spec)
    return found


def _containers(spec: JsonObject) -> list[JsonObject]:
    groups = ("initContainers", "containers", "ephemeralContainers")
    return [item for group in groups for item in spec.get(group) or []]


def _security(container: JsonObject) -> JsonObject:
    return container.get("securityContext") or {}


def _subject(names: Iterable[str], noun: str = "container") -> str:
    quoted = [f'"{name}"' for name in names]
    return f"{noun}{'s' if len(quoted) > 1 else ''} {', '.join(quoted)}"


def _baseline(spec: JsonObject) -> list[Violation]:
    found: list[Violation] = []
    shared = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    if shared:
        found.append(("host namespaces", ", ".join(f"{name}=true" for name in shared)))
    paths = [item["name"] for item in spec.get("volumes") or [] if "hostPath" in item]
    if paths:
        found.append(("hostPath volumes", _subject(paths, "volume")))
    for container in _containers(spec):
        ports = [
            str(port["hostPort"]) for port in container.get("ports") or [] if port.get("hostPort")
        ]
        if ports:
            noun = "hostPorts" if len(ports) > 1 else "hostPort"
            detail = f"{_subject([container['name']])} uses {noun} {', '.join(ports)}"
            found.append(("hostPort", detail))
    names = [item["name"] for item in _containers(spec) if _security(item).get("privileged")]
    if names:
        detail = f"{_subject(names)} must not set securityContext.privileged=true"
        found.append(("privileged", detail))
    return found


def _added(spec: JsonObject, allowed: frozenset[str], check: str) -> list[Violation]:
    details = _added_details(spec, allowed)
    return [(check, "; ".join(details))] if details else []


def _added_details(spec: JsonObject, allowed: frozenset[str]) -> list[str]:
    names, capabilities = [], set()
    for container in _containers(spec):
        added = (_security(container).get("capabilities") or {}).get("add") or []
        if wrong := {name for name in added if name not in allowed}:
            names.append(container["name"])
            capabilities |= wrong
    if not names:
        return []
    listed = ", ".join(f'"{name}"' for name in sorted(capabilities))
    return [f"{_subject(names)} must not include {listed} in securityContext.capabilities.add"]


def _restricted(spec: JsonObject) -> list[Violation]:
    found: list[Violation] = []
    pod = spec.get("securityContext") or {}
    containers = _containers(spec)

    def names(wrong: list[JsonObject]) -> str:
        return _subject(item["name"] for item in wrong)

    escalating = [
        item for item in containers if _security(item).get("allowPrivilegeEscalation") is not False
    ]
    if escalating:
        detail = f"{names(escalating)} must set securityContext.allowPrivilegeEscalation=false"
        found.append(("allowPrivilegeEscalation != false", detail))
    details = []
    keeping = [
        item
        for item in containers
        if "ALL" not in ((_security(item).get("capabilities") or {}).get("drop") or [])
    ]
    if keeping:
        details.append(f'{names(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    details += _added_details(spec, frozenset({"NET_BIND_SERVICE"}))
    if details:
        found.append(("unrestricted capabilities", "; ".join(details)))
    for volume in spec.get("volumes") or []:
        kinds = set(volume) - {"name"} - _RESTRICTED_VOLUMES
        for kind in kinds:
            detail = f'{_subject([volume["name"]], "volume")} uses restricted volume type "{kind}"'
            found.append(("restricted volume types", detail))
    rooted = [
        item
        for item in containers
        if _security(item).get("runAsNonRoot", pod.get("runAsNonRoot")) is not True
    ]
    if rooted:
        detail = f"pod or {names(rooted)} must set securityContext.runAsNonRoot=true"
        found.append(("runAsNonRoot != true", detail))
    zero = [item for item in containers if _security(item).get("runAsUser") == 0]
    if pod.get("runAsUser") == 0 or zero:
        subjects = ["pod"] if pod.get("runAsUser") == 0 else []
        subjects += [names(zero)] if zero else []
        found.append(("runAsUser=0", f"{' and '.join(subjects)} must not set runAsUser=0"))
    unconfined = [
        item
        for item in containers
        if (_security(item).get("seccompProfile") or pod.get("seccompProfile") or {}).get("type")
        not in _SECCOMP
    ]
    if unconfined:
        detail = (
            f"pod or {names(unconfined)} must set securityContext.seccompProfile.type to "
            '"RuntimeDefault" or "Localhost"'
        )
        found.append(("seccompProfile", detail))
    return found
