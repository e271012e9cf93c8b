"""How AKS' policy engines depart from the API text, as data with its sources."""

from pytest_aksnet.model.policy import EngineRules

API_TEXT = EngineRules(engine="api", document="Kubernetes docs: network-policies")

_USE = "AKS docs: use-network-policies"
_FELIX = "Calico docs: Felix configuration, DefaultEndpointToHostAction"
_MIGRATE = "AKS docs: migrate-from-npm-to-cilium-network-policy"

_ROWS = {
    row.engine: row
    for row in (
        EngineRules(engine="none", enforces=False, document=_USE),
        EngineRules(engine="calico", own_node_open=False, document=_FELIX),
        EngineRules(engine="azure", node_ingress_judged=False, ipv6=False, document=_MIGRATE),
        EngineRules(
            engine="cilium",
            ip_blocks_match_cluster=False,
            own_node_open=False,
            sctp=False,
            one_number_per_port_name=True,
            document=_MIGRATE,
        ),
    )
}


def engine_rules(engine: str | None) -> EngineRules:
    """The row of an engine; the API text for one that is unknown."""
    return _ROWS.get(engine or "", API_TEXT)
