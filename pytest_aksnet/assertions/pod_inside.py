"""Verbs about what a pod has inside, and how it shows outside: MTU, MSS, routes, IPv6 addresses."""

import dataclasses
import ipaddress
from collections.abc import Sequence

from pytest_aksnet.assertions import many
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.pod_lists import (
    MODEL,
    JudgeCell,
    aks_mode,
    look_at_list,
    patient,
    reached,
    reflector_cell,
)
from pytest_aksnet.assertions.target import AnyPod, Target, pod_of, resolve
from pytest_aksnet.check import Engine
from pytest_aksnet.check_many import Cell
from pytest_aksnet.expectations.addresses import is_dual_stack, need_dual_stack
from pytest_aksnet.expectations.pod_paths import judge_default_route, judge_mss, judge_mtus
from pytest_aksnet.model.observation import PodInterfaces
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Batch, Finding, Kind
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.probes.pod_interfaces import InterfacesOfPod

_DUAL = "AKS docs: configure-dual-stack, pods get an IPv4 and an IPv6 address"


class PodInsideVerbs(Looker):
    """What a pod's network namespace has."""

    def assert_mtu_like(self, others: Sequence[AnyPod]) -> PodInterfaces:
        """The interfaces of this pod and of the others have the MTU that the mode promises.

        Raises FactUnknown on Azure where the mode is not known.
        """
        engine, node = self._engine, self._pod.node
        seen = {
            pod_of(pod).node: engine.diagnose_look(pod_of(pod), InterfacesOfPod()) for pod in others
        }
        mode = aks_mode(engine.profile)

        def judge(own: PodInterfaces) -> Verdict:
            return judge_mtus({**seen, node: own}, mode)

        return engine.converge(self._pod, InterfacesOfPod(), judge, patience_s=0)

    def assert_default_route(self) -> PodInterfaces:
        """The pod has a default route for each family that the cluster's pods have."""
        ipv6, node = is_dual_stack(self._engine.profile), self._pod.node

        def judge(seen: PodInterfaces) -> Verdict:
            return judge_default_route(seen, node=node, ipv6=ipv6)

        return self._engine.converge(self._pod, InterfacesOfPod(), judge, patience_s=0)

    def assert_mss_received(self, targets: Sequence[AnyPod]) -> Batch:
        """The MSS that arrives from these pods shows no tunnel on the way.

        Raises FactUnknown on Azure where the mode is not known.
        """
        engine, pod = self._engine, self._pod
        found = [resolve(target) for target in targets]
        cells = [
            Cell(
                probe=patient(
                    engine, Kind.CONNECT, target.host, target.port, options={"mss": "yes"}
                ),
                judge=_narrow(engine, target),
                diagnose=many.why(engine, pod, target),
            )
            for target in found
        ]
        return look_at_list(
            engine,
            pod,
            cells,
            what=f"the MSS of {len(found)} pods as it arrives on node {pod.node}",
            by_hand=("ss", "-tin"),
        )

    def over_ipv6(self) -> PodRef:
        """This pod by its IPv6 address, as a target. Raises ConformanceFailure if it has none.

        Raises NotApplicable where the cluster has one family only, FactUnknown where that is not
        known.
        """
        engine, pod = self._engine, self._pod
        need_dual_stack(engine.profile)
        for ip in pod.ips:
            if ipaddress.ip_address(ip).version == 6:
                return dataclasses.replace(pod, ip=ip)
        engine.fail(
            f"pod {pod.namespace}/{pod.name} on node {pod.node} has no IPv6 address, only "
            f"{', '.join(pod.ips)}, and the cluster is dual stack\n  promised by: {_DUAL}"
        )

    def assert_source_kept_by_all(self, targets: Sequence[AnyPod]) -> Batch:
        """Each of these pods sees one of this pod's own addresses."""
        engine, pod = self._engine, self._pod
        found = [resolve(target) for target in targets]
        cells = [
            dataclasses.replace(
                reflector_cell(engine, pod, target, Kind.TCP, target.port),
                judge=_sees(target, {*pod.ips, pod.ip}),
            )
            for target in found
        ]
        return look_at_list(
            engine,
            pod,
            cells,
            what=f"the source that {len(found)} pods see of a pod of node {pod.node}",
            by_hand=("curl", "-g", f"http://[{found[0].host}]:{found[0].port}/"),
        )


def _narrow(engine: Engine, target: Target) -> JudgeCell:
    mode, cloud = aks_mode(engine.profile), engine.profile.get("cloud")
    judge_open = reached(target, Kind.TCP)

    def judge(batch: Batch, index: int) -> Verdict:
        answer = batch.answers[index]
        if answer is not None and answer.looked and answer.finding is not Finding.OK:
            return judge_open(batch, index)
        return judge_mss(answer, what=target.what, mode=mode, cloud=cloud)

    return judge


def _sees(target: Target, own: set[str]) -> JudgeCell:
    judge_open = reached(target, Kind.TCP)

    def judge(batch: Batch, index: int) -> Verdict:
        verdict, answer = judge_open(batch, index), batch.answers[index]
        if verdict.outcome is not Outcome.PASS or answer is None:
            return verdict
        seen = str(answer.facts.get("source", ""))
        if seen in own:
            return verdict
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{target.what} should see the pod's own address "
            f"({', '.join(sorted(own))}), it sees {seen or 'none'}: the address was translated on "
            "the way (SNAT)",
            source=MODEL,
        )

    return judge
