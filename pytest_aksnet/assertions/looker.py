"""What the verbs of a topic rest on: the engine of the test, and the pod that looks if one does.

A topic's module in this package has a class on top of one of these, with the verbs as methods;
`ProbePod` and `Inventory` put the topics together.
"""

from pytest_aksnet.check import Engine
from pytest_aksnet.model.peers import PodRef


class Reader:
    """Verbs about what was read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine


class Looker(Reader):
    """Verbs about what a pod sees."""

    def __init__(self, engine: Engine, pod: PodRef) -> None:
        super().__init__(engine)
        self._pod = pod
        engine.uses(pod)

    @property
    def pod(self) -> PodRef:
        """The pod that looks."""
        return self._pod
