"""What concerns clusters on Azure alone: the one question that verbs about it ask first."""

from pytest_aksnet.check import Engine
from pytest_aksnet.model.errors import NotApplicable


def require_azure(engine: Engine, why: str) -> None:
    """Raise NotApplicable off Azure, FactUnknown where the cloud is not known.

    `why` says what only Azure has, such as "only Azure promises a virtual function".
    """
    cloud = engine.profile.need("cloud")
    if cloud != "azure":
        raise NotApplicable(
            f"{why}, and the cluster is not on Azure: the fact 'cloud' of the network profile is "
            f"{cloud!r} ({engine.profile.facts['cloud'].source})"
        )
