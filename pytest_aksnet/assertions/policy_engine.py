"""Verbs about the engine that enforces NetworkPolicies, as the network profile has it."""

from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.policy_engines import judge_engine_present
from pytest_aksnet.model.observation import FactSheet

_BY_HAND = ("kubectl", "get", "daemonsets", "--all-namespaces")


class PolicyEngineVerbs(Reader):
    """What `Inventory` says of the policy engine."""

    def assert_policy_engine(self) -> FactSheet:
        """Some engine enforces NetworkPolicies in this cluster.

        Raises FactUnknown where nothing tells which one. Whether it enforces is for packets to say.
        """
        profile = self._engine.profile
        engine = profile.need("policy-engine")
        source = profile.facts["policy-engine"].source
        sheet = FactSheet(
            what="the engine that enforces NetworkPolicies",
            source=source,
            facts={"policy-engine": engine},
        )
        return judge_facts(
            self._engine, sheet, judge_engine_present(engine, source=source), by_hand=_BY_HAND
        )
