"""Customised CoreDNS that answers nothing."""

from pytest_aksnet.lab.api.resources import CONFIG_MAPS
from pytest_aksnet.lab.controllers.cluster import CUSTOM_COREFILE, custom_corefile_data
from pytest_aksnet.lab.faults.fault import FaultableLab

_KEY = "everything.override"
_TEXT = "template ANY ANY {\n  rcode SERVFAIL\n}\n"


class CorednsServfail:
    """A template of coredns-custom answers SERVFAIL to every question, on all replicas."""

    name = "coredns-servfail"
    describes = (
        "An override in the ConfigMap coredns-custom makes every CoreDNS replica answer SERVFAIL, "
        "while the replicas stay Ready (AKS docs: coredns-custom; CoreDNS docs: template)."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Add the override and have the replicas read it."""
        set_custom_corefile(lab, _KEY, _TEXT)

    async def heal(self, lab: FaultableLab) -> None:
        """Take it away."""
        set_custom_corefile(lab, _KEY, None)


def set_custom_corefile(lab: FaultableLab, key: str, text: str | None) -> None:
    """Set a key of ConfigMap coredns-custom, or remove it, and restart the replicas with it."""
    data = custom_corefile_data(lab.store)
    if data.get(key) == text:
        return
    if text is None:
        data.pop(key)
    else:
        data[key] = text

    namespace, name = CUSTOM_COREFILE
    lab.store.mutate(CONFIG_MAPS, name, namespace, change=lambda value: value.update(data=data))
    lab.dns.restart_coredns()
