"""What a lab cannot be is refused in one line that names the option and the remedy."""

import pytest

from pytest_aksnet.lab.options import BadOption, lab_options


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"mode": "kubenet", "engine": "cilium"}, "engine 'cilium' .* choose calico or none"),
        ({"mode": "pod-subnet", "dual-stack": True}, "dual-stack .* choose overlay or kubenet"),
        ({"engine": "azure", "dual-stack": True}, "dual-stack .* choose calico, cilium or none"),
        ({"engine": "cilium", "service-proxy": "nftables"}, "service-proxy 'nftables' .* leave it"),
        ({"static-blocks": True}, "static-blocks goes with mode 'pod-subnet', not 'overlay'"),
        ({"authorized-ranges": True, "egress": "none"}, "does not go with egress 'none'"),
        ({"outbound-ports": 7}, "outbound-ports 7: give a multiple of 8"),
        ({"arm-page-size": -1}, "arm-page-size -1: give 1 or more, or 0"),
        ({"arm-role": "King"}, r"unknown role in ARM 'King' \(arm-role\): choose one of "),
        ({"egress": 1}, "egress = 1: give a text"),
        ({"colour": "red"}, "unknown option 'colour' of a lab: known are mode, "),
        ({"pools": [{"name": "System"}]}, "pool name 'System': up to 12 lower-case letters"),
        ({"pools": [{"name": "user"}]}, "AKS needs a pool of mode System"),
    ],
)
def test_what_cannot_be_is_refused(choices: dict[str, object], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        lab_options(choices)
