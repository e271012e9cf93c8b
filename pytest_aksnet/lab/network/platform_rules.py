"""A node's own rules about Azure's platform addresses; pure.

AKS' nodes keep pods off the wire server at 168.63.129.16 (TCP 80 and 32526), which hands out what
belongs to the node, and let them ask it for DNS ("Azure/AgentBaker: rules in the FORWARD chain").
With IMDS restriction they also drop what pods that are not in the host's network send to
169.254.169.254; flushed rules stay away until the node is reimaged ("AKS docs: imds-restriction").
"""

from pytest_aksnet.lab.azure.security_rules import PROBE_SOURCE6
from pytest_aksnet.lab.network.tables import TableProgram
from pytest_aksnet.lab.spec import LabSpec

TABLE = "platform"
WIRE_SERVER_PORTS = (80, 32526)

_PORTS = ", ".join(map(str, WIRE_SERVER_PORTS))


def platform_rules(
    spec: LabSpec,
    *,
    imds_exposed: bool,
    wire_server_exposed: bool,
    wire_server_blocked: bool,
    probes_blocked: bool,
) -> TableProgram:
    """The table of a node, of family inet.

    `imds_exposed` leaves the IMDS restriction out, `wire_server_exposed` the rule that keeps pods
    off the wire server, `wire_server_blocked` keeps the node itself off it too, `probes_blocked`
    drops the load balancer's health probes.
    """
    wire_server = f"ip daddr {spec.azure_dns_ip} tcp dport {{ {_PORTS} }} drop"
    imds = (
        f"ip daddr {spec.imds_ip} drop" if spec.options.imds_restricted and not imds_exposed else ""
    )
    chains = [
        f"""chain from-pods {{
            type filter hook forward priority 0
            {"" if wire_server_exposed else wire_server}
            {imds}
        }}"""
    ]
    if wire_server_blocked:
        chains.append(
            f"""chain from-node {{
            type filter hook output priority 0
            {wire_server}
        }}"""
        )
    if probes_blocked:
        chains.append(
            f"""chain probes {{
            type filter hook prerouting priority -150
            ip saddr {spec.azure_dns_ip} ct state new drop
            ip6 saddr {PROBE_SOURCE6} tcp flags syn ct state new drop
        }}"""
        )
    return TableProgram(base="\n".join(chains))
