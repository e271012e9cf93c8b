"""What a pod's spec refers to: fields of the pod, ConfigMaps, Secrets. Reads the store only.

Source: Kubernetes docs, "Downward API", "ConfigMaps"; error texts as the kubelet's.
"""

import base64
import re
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

from pytest_aksnet.lab.api import quantity
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import CONFIG_MAPS, SECRETS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.spec import NodeSpec

_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class MissingReference(Exception):
    """Something that a spec refers to is not there, in the kubelet's words."""


class References:
    """Looks things up for one pod. `ips` are its addresses, none while it has none."""

    def __init__(self, store: Store, pod: JsonObject, node: NodeSpec, ips: Sequence[str]) -> None:
        self._store = store
        self._pod = pod
        self._node = node
        self._ips = ips

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return str(self._pod["metadata"]["namespace"])

    def field(self, path: str) -> str:
        """The value of a fieldRef. Raises MissingReference where there is no such field."""
        metadata, spec = self._pod["metadata"], self._pod["spec"]
        keyed = _KEYED.fullmatch(path)
        if keyed is not None:
            return str((metadata.get(keyed[1]) or {}).get(keyed[2], ""))
        values = {
            "metadata.name": metadata["name"],
            "metadata.namespace": metadata["namespace"],
            "metadata.uid": metadata["uid"],
            "metadata.labels": _formatted(metadata.get("labels") or {}),
            "metadata.annotations": _formatted(metadata.get("annotations") or {}),
            "spec.nodeName": spec["nodeName"],
            "spec.serviceAccountName": spec.get("serviceAccountName", ""),
            "status.hostIP": self._node.ip,
            "status.hostIPs": ",".join(self._node.ips),
            "status.podIP": self._ips[0] if self._ips else "",
            "status.podIPs": ",".join(self._ips),
        }
        if path not in values:
            raise MissingReference(f"unsupported fieldPath: {path}")
        return str(values[path])

    def resource(self, reference: JsonObject, container: JsonObject) -> str:
        """The value of a resourceFieldRef: a limit or request; the node's size where unset."""
        part, _, name = reference["resource"].partition(".")
        stated = ((container.get("resources") or {}).get(part) or {}).get(name)
        if stated is None:
            whole = {"cpu": self._node.cpus, "memory": f"{self._node.memory_gib}Gi"}
            stated = whole.get(name, 0) if part == "limits" else 0
        divisor = quantity.parse(reference.get("divisor") or 1) or Decimal(1)
        return str((quantity.parse(stated) / divisor).to_integral_value(ROUND_CEILING))

    def config_map(self, name: str, *, optional: bool) -> dict[str, bytes]:
        """The contents of a ConfigMap; {} where it is optional and missing."""
        found = self._store.find(CONFIG_MAPS, name, self.namespace)
        if found is None:
            if optional:
                return {}
            raise MissingReference(f'configmap "{name}" not found')
        content = {key: str(text).encode() for key, text in (found.get("data") or {}).items()}
        for key, encoded in (found.get("binaryData") or {}).items():
            content[key] = base64.b64decode(encoded)
        return content

    def secret(self, name: str, *, optional: bool) -> dict[str, bytes]:
        """The contents of a Secret; {} where it is optional and missing."""
        found = self._store.find(SECRETS, name, self.namespace)
        if found is None:
            if optional:
                return {}
            raise MissingReference(f'secret "{name}" not found')
        return {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}


def _formatted(values: dict[str, str]) -> str:
    return "\n".join(f'{key}="{value}"' for key, value in sorted(values.items()))


async def configuration_change(store: Store) -> None:
    """Wait until some ConfigMap or Secret changes."""
    watching = store.journal.subscribe((CONFIG_MAPS, SECRETS))
    try:
        await watching.batch()
    finally:
        watching.close()
