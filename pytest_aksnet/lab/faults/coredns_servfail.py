"""Customised CoreDNS that answers nothing."""

from collections.abc import Mapping

from pytest_aksnet.lab.api.resources import CONFIG_MAPS
from pytest_aksnet.lab.controllers.cluster import CUSTOM_COREFILE, custom_corefile
from pytest_aksnet.lab.faults.fault import FaultableLab

_OVERRIDE = {"everything.override": "template ANY ANY {\n  rcode SERVFAIL\n}\n"}


class CorednsServfail:
    """A template of coredns-custom answers SERVFAIL to every question, on all replicas."""

    name = "coredns-servfail"
    describes = (
        "An override in the ConfigMap coredns-custom makes every CoreDNS replica answer SERVFAIL, "
        "while the replicas stay Ready (AKS docs: coredns-custom; CoreDNS docs: template)."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Add the override."""
        lab.custom_corefile.servfail = True
        _write_config(lab, _OVERRIDE)

    async def heal(self, lab: FaultableLab) -> None:
        """Take it away."""
        lab.custom_corefile.servfail = False
        _write_config(lab, {})


def _write_config(lab: FaultableLab, data: Mapping[str, str]) -> None:
    """Let the ConfigMap say what the replicas do, as it would in a cluster."""
    lab.store.update(CONFIG_MAPS, custom_corefile(data), CUSTOM_COREFILE[0])
