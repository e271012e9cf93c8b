"""How long a change of Services takes to reach the service proxies of all nodes.

Run: python -m benchmarks.service_sync [NODES] [SERVICES] [PROXY]; PROXY is iptables, nftables or
cilium. Each Service has three endpoints. Shown are the wall time and the CPU time of this process,
the kernel's work included.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from pytest_aksnet.lab.kernel.syscalls import new_netns
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.network.model import LabNetwork
from pytest_aksnet.lab.network_views import EndpointView, ServicePortView
from pytest_aksnet.lab.options import LabOptions, PoolOptions

_INSIDE = "inside"


def service(number: int, endpoints: int) -> ServicePortView:
    return ServicePortView(
        namespace="bench",
        service=f"service-{number}",
        port_name="http",
        protocol="TCP",
        cluster_ip=f"10.0.{number // 200 + 1}.{number % 200 + 1}",
        port=80,
        node_port=0,
        load_balancer_ips=(),
        external_local=False,
        internal_local=False,
        affinity_seconds=0,
        health_check_node_port=0,
        source_ranges=(),
        endpoints=tuple(
            EndpointView(ip=f"10.244.{one}.{number % 200 + 5}", port=8080)
            for one in range(endpoints)
        ),
    )


def measure(nodes: int, services: int, proxy: str) -> None:
    pool = PoolOptions(name="system", mode="System", count=nodes)
    options = LabOptions(pools=(pool,))
    if proxy == "cilium":
        options = replace(options, engine="cilium")
    else:
        options = replace(options, service_proxy=proxy)
    spec = make_spec(options)
    network = LabNetwork(spec)
    for node in spec.nodes:
        network.add_machine(node.name, new_netns())
    network.resync()
    many = [service(number, 3) for number in range(services)]

    def show(what: str, wanted: Sequence[ServicePortView]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        network.sync_services(wanted)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{what:24} {wall * 1000:8.1f} ms wall {cpu * 1000:8.1f} ms CPU")

    show(f"the first {services}", many)
    show("no change", many)
    show("one endpoint more", [service(0, 4), *many[1:]])
    show("one Service more", [service(0, 4), *many[1:], service(services, 3)])
    show("an endpoint more of each", [service(number, 4) for number in range(services)])


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[:1] == [_INSIDE]:
        measure(int(arguments[1]), int(arguments[2]), arguments[3])
        return
    given = [*arguments, *("50", "20", "iptables")[len(arguments) :]]
    print(f"{given[0]} nodes, {given[1]} Services, {given[2]}")
    sys.stdout.flush()
    argv = ["unshare", "-Urnm", "--fork", "--kill-child", sys.executable, __file__, _INSIDE, *given]
    subprocess.run(argv, check=True)


if __name__ == "__main__":
    main()
