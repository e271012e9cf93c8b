"""What --aksnet-policies reads, and how it says what is wrong."""

import json
from pathlib import Path

import pytest

from pytest_aksnet.model.policy_table import NamedPort
from pytest_aksnet.policy_files import read_policies

POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {}}]
    ports: [{port: http}, {port: 8000, endPort: 8010}]
"""
CONTEXT = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop, since: 2024-01-01}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: shop, labels: {app: agent}}
spec: {hostNetwork: true}
---
apiVersion: v1
kind: Service
metadata: {name: web}
---
"""


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def error_of(folder: Path) -> str:
    with pytest.raises(pytest.UsageError) as caught:
        read_policies(folder)
    return str(caught.value)


def rule_error(folder: Path, rule: str) -> str:
    """What is said of a policy with this ingress rule."""
    write(
        folder,
        "p.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        f"metadata: {{name: p}}\nspec: {{podSelector: {{}}, ingress: [{rule}]}}\n",
    )
    return error_of(folder)


def test_policies_and_their_context_are_read(tmp_path: Path) -> None:
    web = write(tmp_path, "shop/web.yaml", CONTEXT + POLICY)
    write(tmp_path, "notes.txt", "no manifest")
    found = read_policies(tmp_path)
    assert [(one.name, one.file, one.document) for one in found.policies] == [("shop/web", web, 5)]
    assert found.namespaces == {"shop": {"team": "shop", "since": "2024-01-01"}}
    (workload,) = found.workloads
    assert (workload.key, workload.labels) == ("shop/web", {"app": "web"})
    assert workload.ports == (NamedPort(name="http", number=80),)
    assert found.header == (
        f"policies of {tmp_path}: 1 NetworkPolicy in 1 file; as context 1 Namespace, 1 workload; "
        "ignored: 1 Service"
    )


def test_lists_json_and_the_default_namespace(tmp_path: Path) -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "a"},
        "spec": {"podSelector": {}},
    }
    other = {"metadata": {"name": "b", "namespace": "x"}, "spec": {"podSelector": {}}}
    write(tmp_path, "a.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": [policy]}))
    write(
        tmp_path,
        "b.yml",
        json.dumps(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicyList",
                "items": [other],
            }
        ),
    )
    assert [one.name for one in read_policies(tmp_path).policies] == ["default/a", "x/b"]


def test_one_file_will_do(tmp_path: Path) -> None:
    file = write(tmp_path, "web.yaml", POLICY)
    assert [one.name for one in read_policies(file).policies] == ["shop/web"]


def test_nothing_there(tmp_path: Path) -> None:
    assert error_of(tmp_path / "no") == (
        f"--aksnet-policies={tmp_path / 'no'}: there is nothing of that name; name a directory of "
        "manifests"
    )


def test_no_policy_among_the_files_says_what_there_is(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.yaml",
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n---\nnamespace: x\n",
    )
    said = error_of(tmp_path)
    assert "no NetworkPolicy of networking.k8s.io/v1" in said
    assert "found: 1 CiliumNetworkPolicy, 1 without a kind" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not YAML"),
        ("a: 1\na: 2\n", "the key 'a' stands twice"),
        ("{{- if .Values.policy }}\n", "helm template"),
    ],
)
def test_what_is_not_yaml(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path, "a.yaml", text)
    found = error_of(tmp_path)
    assert str(file) in found
    assert said in found


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    assert "is not text in UTF-8" in error_of(tmp_path)


def test_two_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", POLICY)
    write(tmp_path, "b.yaml", POLICY)
    assert error_of(tmp_path).endswith(
        "b.yaml, document 1: metadata.name = 'shop/web': there is one of that name in a.yaml, "
        "document 1; drop or rename one of them"
    )


def test_no_name_and_an_old_api(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", POLICY.replace("name: web, ", ""))
    write(tmp_path, "b.yaml", POLICY.replace("networking.k8s.io/v1", "extensions/v1beta1"))
    said = error_of(tmp_path)
    assert "a.yaml, document 1: metadata.name is missing" in said
    assert "b.yaml, document 1: apiVersion = 'extensions/v1beta1': no longer served" in said


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{form: []}", "spec.ingress[0].form = []: unknown field; spec.ingress[0] has from, ports"),
        ("{from: [{}]}", "spec.ingress[0].from[0] = {}: a peer that says nothing"),
        ("{from: [{podSelector: }]}", "a peer that says nothing"),
        ("{from: {podSelector: {}}}", "no list"),
        ("null", "spec.ingress[0] = None: no map of fields"),
        ("{from: [{ipBlock: {cidr: 10.0.0.1}}]}", ".ipBlock.cidr = '10.0.0.1': no CIDR"),
        ("{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}", "no CIDR"),
        ("{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}", "an ipBlock stands alone"),
        ("{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}", "no part of the cidr"),
        ("{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}", "no part of the cidr"),
        ("{ports: [{endPort: 90}]}", ".endPort = 90: an endPort without a port"),
        ("{ports: [{port: 91, endPort: 90}]}", ".endPort = 90: is smaller than the port 91"),
        ("{ports: [{port: web, endPort: 90}]}", "an endPort needs a number as port"),
        ("{ports: [{port: '80'}]}", ".port = '80': neither a port number nor the name"),
        ("{ports: [{port: 0}]}", ".port = 0: neither"),
        ("{ports: [{port: 80, protocol: tcp}]}", ".protocol = 'tcp': no protocol"),
        (
            "{from: [{podSelector: {matchLabel: {a: b}}}]}",
            "podSelector.matchLabel = {'a': 'b'}: unknown field",
        ),
        ("{from: [{podSelector: {matchLabels: {a: true}}}]}", ".a = True: a label is a string"),
        ("{from: [{podSelector: {matchLabels: {a b: c}}}]}", "no key of a label"),
        ("{from: [{podSelector: {matchLabels: {a: b c}}}]}", "no value of a label"),
        (
            "{from: [{podSelector: {matchExpressions: [{key: a, operator: Is}]}}]}",
            ".operator = 'Is': no operator; write In, NotIn, Exists or DoesNotExist",
        ),
        (
            "{from: [{podSelector: {matchExpressions: [{key: a, operator: In}]}}]}",
            "In without values",
        ),
        (
            "{from: [{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}"
            "]}}]}",
            "Exists takes no values",
        ),
    ],
)
def test_what_an_api_server_refuses(tmp_path: Path, rule: str, said: str) -> None:
    found = rule_error(tmp_path, rule)
    assert found.startswith(f"--aksnet-policies={tmp_path}:\n  p.yaml, document 1: spec.ingress")
    assert said in found


def test_policy_types_and_names(tmp_path: Path) -> None:
    text = POLICY.replace("spec:", "spec:\n  policyTypes: [ingress]").replace("shop}", "Shop}")
    write(tmp_path, "a.yaml", text)
    said = error_of(tmp_path)
    assert "metadata.namespace = 'Shop': is not a DNS label" in said
    assert "spec.policyTypes[0] = 'ingress': no policy type; write Ingress or Egress" in said


def test_many_errors_are_cut_short(tmp_path: Path) -> None:
    rules = ", ".join("{from: [{}]}" for _ in range(13))
    assert rule_error(tmp_path, rules).endswith("and 3 more")
