"""`Inventory`: what the API server and Azure say of the network, and the verbs of suites about it.

This class lists the topics; one module per topic in `assertions/` has the verbs. Every verb gives
the fact sheet that it judged, raises ConformanceFailure where what stands there breaks a promise,
and FactUnknown or EnvironmentProblem where it could not be read.
"""

from pytest_aksnet.assertions.looker import Reader


class Inventory(Reader):
    """Reads objects, sends no packet."""
