"""What a user must be allowed to do, and what preflight found: data only.

A right is one verb on one kind of object in one kind of place, as RBAC and a
SelfSubjectAccessReview name it
(https://kubernetes.io/docs/reference/access-authn-authz/authorization/).
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

RIGHTS_PAGE = "docs/rbac.md"


class Where(enum.Enum):
    """The place of a right. The value is how it reads in a sentence."""

    CLUSTER = "in the whole cluster"
    RUN = "in the namespaces of the run"
    SYSTEM = "in namespace kube-system"
    DEFAULT = "in namespace default"
    LEASE = "in the namespace of the leases"
    NODE_LEASES = "in namespace kube-node-lease"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One right. `name` restricts it to one object, empty is any.

    `path` is set instead of a resource where the right is about a path such as /metrics.
    """

    resource: str
    verb: str
    group: str = ""
    subresource: str = ""
    name: str = ""
    where: Where = Where.RUN
    path: str = ""

    def __str__(self) -> str:
        """As `kubectl auth can-i` takes it: create on networkpolicies.networking.k8s.io in ..."""
        if self.path:
            return f"{self.verb} on {self.path}"
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        kind += f"/{self.subresource}" if self.subresource else ""
        kind += f" {self.name}" if self.name else ""
        return f"{self.verb} on {kind} {self.where.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What the cluster said before anything was created.

    `denied` are rights that the user has not; `unknown` those that could not be reviewed, with the
    reason: they are not held against the user. `no_namespace` is why the cluster refuses the
    namespaces of a run, empty where it does not. `level` is the PodSecurity level that they get,
    and `impossible` has the classes of actions that this rules out, each with its reason.
    """

    denied: frozenset[Right] = frozenset()
    unknown: Mapping[Right, str] = field(default_factory=dict)
    no_namespace: str = ""
    level: str = ""
    impossible: Mapping[str, str] = field(default_factory=dict)
