"""Whether Azure's packages are there, and that they are found. Imports nothing of azure.

Tests may lie in a folder of the same name, and pytest imports suites/azure/test_x.py as
azure.test_x (import mode importlib, "Good Integration Practices"): then `azure` is that folder, and
nothing else is found in it. Azure's packages are spread over many folders of that name.
"""

import importlib
import sys
from pathlib import Path

_MISSING = (
    "Azure Resource Manager was not asked, because its packages are not installed: "
    "pip install pytest-aksnet[azure]"
)
# Those of the extra `azure`, by the names that they are imported by.
_PACKAGES = (
    *("azure.identity", "azure.mgmt.compute", "azure.mgmt.containerservice"),
    *("azure.mgmt.monitor", "azure.mgmt.network", "azure.mgmt.privatedns"),
)


def why_not_importable() -> str:
    """What stands against importing them; empty for nothing."""
    there = _folders()
    wanted = [Path(*package.split(".")[1:], "__init__.py") for package in _PACKAGES]
    if not all(any((place / file).is_file() for place in there) for file in wanted):
        return _MISSING
    module = sys.modules.get("azure")
    if module is not None and not hasattr(module, "__path__"):
        return (
            f"Azure Resource Manager was not asked, because the module azure of these tests "
            f"({getattr(module, '__file__', None)}) hides its packages: give it another name"
        )
    return ""


def uncover() -> None:
    """Have them found although tests lie in a folder of the same name, or in a package."""
    folders = [str(folder) for folder in _folders()]
    module = sys.modules.get("azure")
    if module is None:
        # A package of tests that is found first would be imported in place of all the others.
        own = next((one for one in folders if Path(one, "__init__.py").is_file()), "")
        if not own:
            return
        module = importlib.import_module("azure")
    known = list(module.__path__)
    more = [one for one in folders if one not in known]
    if more:
        module.__path__ = [*known, *more]


def _folders() -> list[Path]:
    """All folders of that name from which Python imports."""
    places = (Path(entry or ".").resolve() / "azure" for entry in sys.path)
    return [place for place in dict.fromkeys(places) if place.is_dir()]
