"""Reads a directory of manifests into the NetworkPolicies to prove, and what tells of their pods.

Owns which files and documents are read and how errors name them; what an API server would refuse
in a policy is `expectations.policy_schema`. Loaded only with --aksnet-policies.
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aksnet.expectations.policy_schema import flaws_of_labels, flaws_of_policy
from pytest_aksnet.model.policy_table import NamedPort, TablePod

_SUFFIXES = (".yaml", ".yml", ".json")
_POLICY_API = "networking.k8s.io/v1"
_TEMPLATED = ("Deployment", "StatefulSet", "DaemonSet")
_MOST_ERRORS = 10

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPolicy:
    """A policy and where it stands: `document` counts from 1 in its file."""

    file: Path
    document: int
    policy: Json

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.policy["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.policy['metadata']['name']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFiles:
    """What a directory holds. `workloads` are pods as their templates have them.

    `namespaces` maps names to labels. `ignored` counts what was not read, by kind.
    """

    root: Path
    policies: tuple[OwnPolicy, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    workloads: tuple[TablePod, ...]
    ignored: Mapping[str, int]

    @property
    def header(self) -> str:
        """One line about it."""
        files = len({policy.file for policy in self.policies})
        line = (
            f"policies of {self.root}: {_count(len(self.policies), 'NetworkPolicy')} in "
            f"{_count(files, 'file')}; as context {_count(len(self.namespaces), 'Namespace')}, "
            f"{_count(len(self.workloads), 'workload')}"
        )
        if self.ignored:
            line += "; ignored: " + ", ".join(
                f"{count} {kind}" for kind, count in sorted(self.ignored.items())
            )
        return line


def read_policies(root: Path) -> PolicyFiles:
    """Everything under a directory, or in one file.

    Raises pytest.UsageError that names option, file, document, field, value and remedy for what
    cannot be read and for what an API server would refuse.
    """
    reader = _Reader(root)
    for file in _files(root):
        reader.read(file)
    return reader.result()


def _files(root: Path) -> list[Path]:
    if not root.exists():
        raise _error(root, "there is nothing of that name", "name a directory of manifests")
    if root.is_file():
        return [root]
    try:
        return sorted(
            path for path in root.rglob("*") if path.suffix in _SUFFIXES and path.is_file()
        )
    except OSError as error:
        raise _error(root, f"cannot be read ({error.strerror})", "make it readable") from error


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._policies: dict[str, OwnPolicy] = {}
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._workloads: list[TablePod] = []
        self._ignored: Counter[str] = Counter()
        self._errors: list[str] = []

    def read(self, file: Path) -> None:
        """Take in one file."""
        for document, content in enumerate(_documents(self._root, file), start=1):
            for found in _objects(content):
                self._take(file, document, found)

    def result(self) -> PolicyFiles:
        """All of it. Raises pytest.UsageError for what was wrong, or where no policy was there."""
        if self._errors:
            left = len(self._errors) - _MOST_ERRORS
            lines = self._errors[:_MOST_ERRORS] + ([f"and {left} more"] if left > 0 else [])
            raise pytest.UsageError(f"--aksnet-policies={self._root}:\n  " + "\n  ".join(lines))
        if not self._policies:
            found = ", ".join(f"{count} {kind}" for kind, count in sorted(self._ignored.items()))
            raise _error(
                self._root,
                f"no NetworkPolicy of {_POLICY_API} in its {', '.join(_SUFFIXES)} files (found: "
                f"{found or 'nothing else either'})",
                "name a directory that holds one",
            )
        return PolicyFiles(
            root=self._root,
            policies=tuple(self._policies.values()),
            namespaces=self._namespaces,
            workloads=tuple(self._workloads),
            ignored=self._ignored,
        )

    def _take(self, file: Path, document: int, found: object) -> None:
        if found is None:
            return
        if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
            self._ignored["without a kind"] += 1
            return
        kind = found["kind"]
        if kind == "NetworkPolicy" and found.get("apiVersion") in (
            _POLICY_API,
            "extensions/v1beta1",
        ):
            self._take_policy(file, document, found)
        elif kind == "Namespace" and found.get("apiVersion") == "v1":
            self._take_namespace(file, document, found)
        elif kind == "Pod" and found.get("apiVersion") == "v1":
            self._take_workload(file, document, found, found.get("metadata"), found.get("spec"))
        elif kind in _TEMPLATED and found.get("apiVersion") == "apps/v1":
            template = _map(_map(found.get("spec")).get("template"))
            self._take_workload(
                file, document, found, template.get("metadata"), template.get("spec")
            )
        else:
            api = str(found.get("apiVersion", ""))
            self._ignored[f"{kind} of {api}" if kind == "NetworkPolicy" else kind] += 1

    def _take_policy(self, file: Path, document: int, found: Json) -> None:
        where = self._where(file, document)
        if found["apiVersion"] != _POLICY_API:
            self._errors.append(
                f"{where}: apiVersion = {found['apiVersion']!r}: no longer served; write "
                f"{_POLICY_API}"
            )
            return
        metadata = found.get("metadata")
        if not isinstance(metadata, dict) or not metadata.get("name"):
            self._errors.append(f"{where}: metadata.name is missing; give the policy a name")
            return
        found = {**found, "metadata": {"namespace": "default", **metadata}}
        flaws = [f"{where}: {flaw}" for flaw in flaws_of_policy(found)]
        self._errors += flaws
        if flaws:
            return
        policy = OwnPolicy(file=file, document=document, policy=found)
        known = self._policies.setdefault(policy.name, policy)
        if known is not policy:
            self._errors.append(
                f"{where}: metadata.name = {policy.name!r}: there is one of that name in "
                f"{self._where(known.file, known.document)}; drop or rename one of them"
            )

    def _take_namespace(self, file: Path, document: int, found: Json) -> None:
        metadata = _map(found.get("metadata"))
        labels = self._labels(file, document, metadata, "metadata.labels")
        if labels is not None and metadata.get("name"):
            self._namespaces[str(metadata["name"])] = labels

    def _take_workload(
        self, file: Path, document: int, found: Json, metadata: object, spec: object
    ) -> None:
        own = _map(found.get("metadata"))
        at = "metadata.labels" if found["kind"] == "Pod" else "spec.template.metadata.labels"
        labels = self._labels(file, document, _map(metadata), at)
        if labels is None or not own.get("name") or _map(spec).get("hostNetwork"):
            return  # a pod of the host network has no policies
        self._workloads.append(
            TablePod(
                namespace=str(own.get("namespace") or "default"),
                name=str(own["name"]),
                labels=labels,
                ports=tuple(_named_ports(_map(spec))),
            )
        )

    def _labels(
        self, file: Path, document: int, metadata: Json, field: str
    ) -> Mapping[str, str] | None:
        labels = metadata.get("labels") or {}
        flaws = [
            f"{self._where(file, document)}: {flaw}" for flaw in flaws_of_labels(labels, field)
        ]
        self._errors += flaws
        return None if flaws else labels

    def _where(self, file: Path, document: int) -> str:
        shown = file.relative_to(self._root) if self._root.is_dir() else file.name
        return f"{shown}, document {document}"


def _objects(content: object) -> Iterator[object]:
    kind = content.get("kind") if isinstance(content, dict) else None
    if isinstance(content, dict) and kind in ("List", "NetworkPolicyList"):
        for one in content.get("items") or ():
            if kind == "NetworkPolicyList" and isinstance(one, dict):
                one = {"apiVersion": content.get("apiVersion"), "kind": "NetworkPolicy", **one}
            yield one
    else:
        yield content


def _named_ports(spec: Json) -> Iterator[NamedPort]:
    for container in spec.get("containers") or ():
        for port in _map(container).get("ports") or ():
            number, name = _map(port).get("containerPort"), _map(port).get("name")
            if isinstance(number, int) and isinstance(name, str):
                yield NamedPort(name=name, number=number, protocol=port.get("protocol") or "TCP")


def _documents(root: Path, file: Path) -> list[object]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise _error(
            root, f"{file} cannot be read ({error.strerror})", "make it readable"
        ) from error
    except UnicodeDecodeError as error:
        raise _error(root, f"{file} is not text in UTF-8", "write it in UTF-8") from error
    try:
        if file.suffix == ".json":
            return [json.loads(text)]
        return list(yaml.load_all(text, Loader=_Loader))
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        problem = " ".join(str(error).split())
        language = "JSON" if file.suffix == ".json" else "YAML"
        remedy = "correct it, or take it out of the directory"
        if "{{" in text:
            remedy = "render templates first (helm template) and name the directory of the result"
        raise _error(root, f"{file} is not {language}: {problem}", remedy) from error


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, as kubectl does: one of the two would be lost.

    What looks like a date stays the string that it is in JSON.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """See yaml.SafeLoader."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen and key.value != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value if isinstance(key.value, str) else "")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _map(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _count(number: int, what: str) -> str:
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else plural}"


def _error(root: Path, problem: str, remedy: str) -> pytest.UsageError:
    return pytest.UsageError(f"--aksnet-policies={root}: {problem}; {remedy}")
