"""Metrics of the API server as it prints them."""

import pytest

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.observation import DeprecatedApi
from pytest_aksnet.probes.api_metrics import deprecated_apis

# As kube-apiserver 1.36 prints it.
HEAD = """\
# HELP apiserver_requested_deprecated_apis [STABLE] Gauge of deprecated APIs that have been \
requested, broken out by API group, version, resource, subresource, and removed_release.
# TYPE apiserver_requested_deprecated_apis gauge
"""
ENDPOINTS = (
    'apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",'
    'subresource="",version="v1"} 1\n'
)


def test_what_was_asked_for_is_listed() -> None:
    later = ENDPOINTS.replace('group=""', 'group="storage.k8s.io"').replace(
        'removed_release=""', 'removed_release="1.37"'
    )
    assert deprecated_apis(HEAD + ENDPOINTS + later) == (
        DeprecatedApi(group="", version="v1", resource="endpoints"),
        DeprecatedApi(
            group="storage.k8s.io", version="v1", resource="endpoints", removed_release="1.37"
        ),
    )


def test_none_asked_for_is_an_empty_list() -> None:
    assert deprecated_apis("# HELP apiserver_request_total x\n") == ()
    assert deprecated_apis(HEAD + ENDPOINTS.replace("} 1", "} 0")) == ()


@pytest.mark.parametrize(
    "text",
    ["", "<html>sign in</html>", HEAD + "apiserver_requested_deprecated_apis{a=\"b\"} 1\n",
     HEAD + ENDPOINTS.replace("} 1", "} many")],
)  # fmt: skip
def test_other_text_is_no_answer(text: str) -> None:
    with pytest.raises(OutputUnparsable):
        deprecated_apis(text)
