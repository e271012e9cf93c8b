"""Microsoft.Compute/skus: what the VM sizes can do. There is no bandwidth in it, as in Azure."""

import re
from collections.abc import Iterable

from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.kinds import Provider
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.options import SIZES
from pytest_aksnet.lab.spec import REGION

_SKUS = "Microsoft.Compute/skus"
_NAME = re.compile(r"Standard_(([A-Z]+)\d+([a-z]*)(?:_v(\d))?)")
# "Azure docs: sizes": network interfaces by vCPUs; the older DS sizes have more.
_INTERFACES = {2: 2, 4: 2, 8: 4}
_OLD_INTERFACES = {"Standard_DS2_v2": 2, "Standard_DS4_v2": 8}
_ZONES = ["1", "2", "3"]


def _skus(_world: World) -> Iterable[Document]:
    for name, size in SIZES.items():
        found = _NAME.fullmatch(name)
        assert found is not None
        short, series, features, version = found.groups()
        capabilities = {
            "vCPUs": str(size.cpus),
            "vCPUsAvailable": str(size.cpus),
            "MemoryGB": str(size.memory_gib),
            "MaxNetworkInterfaces": str(
                _OLD_INTERFACES.get(name, 0) or _interfaces(name, size.cpus)
            ),
            "AcceleratedNetworkingEnabled": "True",
            "HyperVGenerations": "V2" if version == "6" else "V1,V2",
            "CpuArchitectureType": "x64",
            "EphemeralOSDiskSupported": str("d" in features or series == "DS"),
            "PremiumIO": "True",
        }
        yield {
            "resourceType": "virtualMachines",
            "name": name,
            "tier": "Standard",
            "size": short,
            "family": f"standard{series}{features.capitalize()}v{version}Family",
            "locations": [REGION],
            "locationInfo": [{"location": REGION, "zones": _ZONES, "zoneDetails": []}],
            "capabilities": [{"name": key, "value": value} for key, value in capabilities.items()],
            "restrictions": [],
        }


def _interfaces(name: str, cpus: int) -> int:
    return 2 if name.startswith("Standard_B") else _INTERFACES[cpus]


PROVIDER = Provider(tops={_SKUS: _skus})
