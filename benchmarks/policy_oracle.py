"""How long the NetworkPolicy oracle takes for a whole truth table, all pods to all pods.

Median of several rounds of processor time.
Run: python -m benchmarks.policy_oracle [PODS [POLICIES]]
"""

import statistics
import sys
import time

from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.model.policy import Pod, PortSpec, World

ROUNDS = 7
SPACES, APPS = 5, 7
PORTS = [
    PortSpec(number=80),
    PortSpec(number=81),
    *(PortSpec(number=n, protocol="UDP") for n in (53, 80)),
]


def main(pods: int = 30, policies: int = 20) -> None:
    world = World(
        namespaces={f"ns{number}": {"team": f"t{number % 2}"} for number in range(SPACES)},
        pods=tuple(
            Pod(
                namespace=f"ns{number % SPACES}",
                name=f"p{number}",
                node=f"n{number % 3}",
                ips=(f"10.244.{number % 3}.{number // 3 + 4}",),
                labels={"app": f"a{number % APPS}"},
            )
            for number in range(pods)
        ),
    )
    some = [
        {
            "metadata": {"namespace": f"ns{number % SPACES}", "name": f"policy-{number}"},
            "spec": {
                "podSelector": {"matchLabels": {"app": f"a{number % APPS}"}},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [
                    {
                        "from": [{"namespaceSelector": {"matchLabels": {"team": "t1"}}}],
                        "ports": [{"port": 80}],
                    }
                ],
                "egress": [
                    {"to": [{"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.1.0/24"]}}]}
                ],
            },
        }
        for number in range(policies)
    ]
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        cells = sum(1 for _ in PolicyOracle(some, world).table(world.pods, world.pods, PORTS))
        taken.append(time.process_time() - begun)
    print(
        f"{pods} pods, {policies} policies, {cells} cells: "
        f"median {statistics.median(taken) * 1000:.0f} ms"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
