"""Verbs about the objects behind the cluster's DNS: its replicas, and what was added to it."""

from collections.abc import Callable

from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.corefile import judge_custom
from pytest_aksnet.expectations.dns_objects import judge_replicas
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.verdict import Outcome

_SYSTEM = "/api/v1/namespaces/kube-system"
_CUSTOM = f"{_SYSTEM}/configmaps/coredns-custom"
_KUBE_DNS = f"{_SYSTEM}/services/kube-dns"
_PAUSE_S = 0.5
_PATIENCE_S = 20.0  # a replica that was just added gets ready within its probe's period


class DnsObjectVerbs(Reader):
    """What `Inventory` says of CoreDNS."""

    def assert_custom_corefile(self) -> FactSheet:
        """What ConfigMap coredns-custom adds is read by CoreDNS, which starts with it.

        Raises NotApplicable where there is none, or it adds nothing, as AKS makes it.
        """
        found = self._engine.api.get(_CUSTOM)
        if found is None:
            raise NotApplicable("there is no ConfigMap kube-system/coredns-custom")
        data = {key: str(text) for key, text in (found.get("data") or {}).items()}
        if not data:
            raise NotApplicable("ConfigMap kube-system/coredns-custom adds nothing: it has no key")
        sheet = FactSheet(
            what="what is added to the Corefile",
            source="ConfigMap kube-system/coredns-custom",
            facts=data,
        )
        return judge_facts(
            self._engine,
            sheet,
            judge_custom(data, unknown_plugins_fail=self._engine.profile.get("cloud") == "azure"),
            by_hand=(
                "kubectl",
                "get",
                "configmap",
                "coredns-custom",
                "-n",
                "kube-system",
                "-oyaml",
            ),
        )

    def assert_dns_replicas(self) -> FactSheet:
        """Every replica of the cluster's DNS is ready; on which nodes they run is reported.

        Raises FactUnknown where the pods behind the Service kube-dns cannot be found.
        """
        service = self._engine.api.get(_KUBE_DNS)
        selector = ((service or {}).get("spec") or {}).get("selector") or {}
        if not selector:
            raise FactUnknown(
                "which pods are the cluster's DNS is not known: there is no Service "
                "kube-system/kube-dns with a selector"
            )
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in selector.items())}
        nodes = len(self._engine.view.nodes())
        pods = self._settled(lambda: self._engine.api.items(f"{_SYSTEM}/pods", query))
        verdict = judge_replicas(pods, nodes=nodes)
        facts = {
            pod["metadata"]["name"]: str((pod.get("spec") or {}).get("nodeName", "no node"))
            for pod in pods
        }
        return judge_facts(
            self._engine,
            FactSheet(what="replicas of CoreDNS", source="pods of kube-system", facts=facts),
            verdict,
            by_hand=(
                "kubectl",
                "get",
                "pods",
                "-n",
                "kube-system",
                "-l",
                query["labelSelector"],
                "-owide",
            ),
        )

    def _settled(self, read: Callable[[], list[Json]]) -> list[Json]:
        """The pods, once all are ready or the patience is over."""
        deadline = self._engine.now() + _PATIENCE_S
        while True:
            pods = read()
            good = judge_replicas(pods, nodes=1).outcome is Outcome.PASS
            if good or self._engine.now() >= deadline:
                return pods
            self._engine.rest(_PAUSE_S)
