"""Images, taints and names: what is taken, what is refused, and in which words."""

import pytest

from pytest_aksnet.spelling import (
    canonical_image,
    checked_image,
    checked_secret_name,
    pins_nothing,
    toleration,
)

DIGEST = "@sha256:" + "0" * 64


@pytest.mark.parametrize(
    "image",
    [
        "netshoot",
        "nicolaka/netshoot:v0.13",
        "registry.example.com:5000/a/b__c/net-shoot:V1.0_x",
        f"localhost/netshoot{DIGEST}",
        f"ghcr.io/a/netshoot:v1{DIGEST}",
        "[fd00::1]:5000/netshoot:v1",
    ],
)
def test_image_references_are_taken(image: str) -> None:
    assert checked_image(image) == image


@pytest.mark.parametrize(
    "image",
    [
        "",
        "Netshoot",
        "netshoot:",
        "netshoot:v1 ",
        "netshoot;rm -rf /",
        "netshoot\n:v1",
        "a//b",
        "-a/b",
        "netshoot:" + "v" * 129,
        "netshoot@sha256:12",
        "nétshoot",
    ],
)
def test_what_is_no_image_reference_is_refused(image: str) -> None:
    with pytest.raises(pytest.UsageError, match=r"--aksnet-image=.*no image reference; write it"):
        checked_image(image)


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        ("netshoot", True),
        ("nicolaka/netshoot:latest", True),
        ("registry:5000/netshoot", True),
        ("nicolaka/netshoot:v0.13", False),
        (f"nicolaka/netshoot:latest{DIGEST}", False),
    ],
)
def test_an_image_that_names_no_version_is_warned_about(image: str, warned: bool) -> None:
    assert ("names no version" in pins_nothing(image)) == warned


@pytest.mark.parametrize(
    ("image", "listed"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("nicolaka/netshoot:v0.13", "docker.io/nicolaka/netshoot:v0.13"),
        ("localhost/netshoot:v1", "localhost/netshoot:v1"),
        ("mcr.microsoft.com/netshoot:v1", "mcr.microsoft.com/netshoot:v1"),
        (f"nicolaka/netshoot:v1{DIGEST}", f"docker.io/nicolaka/netshoot{DIGEST}"),
    ],
)
def test_an_image_as_a_kubelet_lists_it(image: str, listed: str) -> None:
    assert canonical_image(image) == listed


@pytest.mark.parametrize(
    ("taint", "expected"),
    [
        ("sku", {"key": "sku", "operator": "Exists"}),
        ("sku=gpu", {"key": "sku", "operator": "Equal", "value": "gpu"}),
        ("sku=", {"key": "sku", "operator": "Equal"}),
        (
            "example.com/sku=gpu:NoSchedule",
            {
                "key": "example.com/sku",
                "operator": "Equal",
                "value": "gpu",
                "effect": "NoSchedule",
            },
        ),
        ("sku:NoExecute", {"key": "sku", "operator": "Exists", "effect": "NoExecute"}),
    ],
)
def test_taints_become_tolerations(taint: str, expected: dict[str, str]) -> None:
    assert toleration(taint) == expected


@pytest.mark.parametrize("taint", ["", "=a", ":NoSchedule", "a:Never", "a b", "a/b/c", "a=b=c"])
def test_what_is_no_taint_is_refused(taint: str) -> None:
    with pytest.raises(pytest.UsageError, match=r"--aksnet-tolerate=.*KEY\[=VALUE\]\[:EFFECT\]"):
        toleration(taint)


def test_names_of_pull_secrets() -> None:
    assert checked_secret_name("my-secret.1") == "my-secret.1"
    with pytest.raises(pytest.UsageError, match="--aksnet-image-pull-secret='A b': no name"):
        checked_secret_name("A b")
