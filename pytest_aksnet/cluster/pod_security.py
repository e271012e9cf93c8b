"""Which of our pods a PodSecurity level refuses: pure, over a pod's spec.

Only what pods of this project vary in is looked at; the levels are those of
https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

from collections.abc import Iterator

from pytest_aksnet.model.api import Json

LEVELS = ("privileged", "baseline", "restricted")
_BASELINE_CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
_RESTRICTED_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})


def why_not_admitted(spec: Json, level: str) -> str:
    """Why a namespace that enforces this level refuses such a pod; empty where it does not."""
    if level not in ("baseline", "restricted"):
        return ""
    found = list(_baseline(spec))
    if level == "restricted":
        found += _restricted(spec)
    if not found:
        return ""
    return f"namespaces get the PodSecurity level {level}, which forbids {', '.join(found)}"


def _baseline(spec: Json) -> Iterator[str]:
    if spec.get("hostNetwork"):
        yield "hostNetwork"
    added = _added(spec) - _BASELINE_CAPABILITIES
    if added:
        yield f"the capabilities {', '.join(sorted(added))}"


def _restricted(spec: Json) -> Iterator[str]:
    added = (_added(spec) & _BASELINE_CAPABILITIES) - _RESTRICTED_CAPABILITIES
    if added:
        yield f"the capabilities {', '.join(sorted(added))}"
    for container in spec["containers"]:
        security = container.get("securityContext") or {}
        if security.get("runAsNonRoot") is not True:
            yield "root"
        if security.get("allowPrivilegeEscalation") is not False:
            yield "privilege escalation"


def _added(spec: Json) -> frozenset[str]:
    return frozenset(
        name
        for container in spec["containers"]
        for name in ((container.get("securityContext") or {}).get("capabilities") or {}).get("add")
        or ()
    )
