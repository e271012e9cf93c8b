"""Verbs about what an upgrade meets: versions, retirements, leftovers and deprecated APIs."""

import datetime
from collections.abc import Mapping

from pytest_aksnet.assertions.azure import require_azure
from pytest_aksnet.assertions.cluster_state import nodes_of
from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.assertions.sheets import judge_sheet
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations import upgrade_leftovers, upgrade_retirements, upgrade_versions
from pytest_aksnet.expectations.masquerade_config import ranges_of
from pytest_aksnet.expectations.upgrade_retirements import Retirement
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.probes.api_metrics import deprecated_apis

_NODES = ("kubectl", "get", "nodes", "--output=wide")
_DAEMON_SETS = ("kubectl", "get", "daemonsets", "--all-namespaces", "--output=wide")
_METRICS = ("kubectl", "get", "--raw", "/metrics")
_MASQ = "/api/v1/namespaces/kube-system/configmaps/azure-ip-masq-agent-config"
_MANAGED_NGINX = "webapprouting.kubernetes.azure.com/nginx"
_AGENTS = {
    "azure-npm": upgrade_retirements.NPM_LINUX,
    "azure-npm-win": upgrade_retirements.NPM_WINDOWS,
}
_MESH = "osm-controller"


class UpgradeVerbs(Reader):
    """What `Inventory` says of versions and of what is left over."""

    def assert_nothing_retired(self) -> FactSheet:
        """Nothing in use has been retired by AKS. Raises NotApplicable off AKS."""
        require_azure(self._engine, "AKS retires only what AKS has")
        images = {node.name: node.info.get("osImage", "") for node in nodes_of(self._engine.api)}
        found = _retirements(self._engine, images)
        today = _today(self._engine)
        profile = self._engine.profile
        facts = {
            **{f"osImage of node {node}": image or "not known" for node, image in images.items()},
            **{fact: profile.get(fact) or "not known" for fact in ("mode", "load-balancer-sku")},
            "kinds of agent pools": "known" if profile.azure else "not known",
            **{where: f"{one.what}: {one.ends}" for where, one in found.items()},
        }
        verdict = upgrade_retirements.judge_retirements(found, today)
        return judge_sheet(self._engine, f"what AKS retires, as of {today}", facts, verdict, _NODES)

    def assert_version_supported(self) -> FactSheet:
        """AKS supports this version of Kubernetes. Raises NotApplicable off AKS."""
        require_azure(self._engine, "support of versions is AKS's own")
        version, today = _version(self._engine), _today(self._engine)
        plan = self._engine.profile.get("support-plan") or ""
        facts = {"version": version, "day": str(today), "support plan": plan or "not known"}
        verdict = upgrade_versions.judge_supported(version, today, plan=plan)
        return judge_sheet(
            self._engine, "support of the version", facts, verdict, ("kubectl", "version")
        )

    def assert_versions_within_skew(self) -> FactSheet:
        """The kubelets' versions go with the API server's."""
        kubelets = {
            node.name: node.info.get("kubeletVersion", "") for node in nodes_of(self._engine.api)
        }
        verdict = upgrade_versions.judge_skew(_version(self._engine), kubelets)
        facts = {"API server": _version(self._engine), **kubelets}
        return judge_sheet(self._engine, "versions of kubelets", facts, verdict, _NODES)

    def assert_parts_go_together(self) -> FactSheet:
        """Service proxy, policy engine and Cilium go with this version and one another.

        Raises FactUnknown where the proxy is not known, or the engine where it matters.
        """
        profile = self._engine.profile
        agents = _daemon_sets(self._engine)
        proxy = profile.need("kube-proxy-mode")
        if proxy == "ipvs":
            profile.need("policy-engine")
        engines = frozenset(filter(None, [profile.get("policy-engine")]))
        cilium = _image(agents["cilium"]) if "cilium" in agents else ""
        verdict = upgrade_versions.judge_pairs(
            _version(self._engine),
            proxy=proxy,
            engines=engines,
            cilium=cilium,
            is_aks=profile.get("cloud") == "azure",
        )
        facts = {
            "version": _version(self._engine),
            "kube-proxy": proxy,
            "policy engine": ", ".join(engines) or "not known",
            "Cilium": cilium or "none",
        }
        return judge_sheet(self._engine, "parts of the network", facts, verdict, _DAEMON_SETS)

    def assert_nothing_left_over(self) -> FactSheet:
        """Nothing of an older set-up works against this one. Raises FactUnknown."""
        profile = self._engine.profile
        agents = {name: _place(found) for name, found in _daemon_sets(self._engine).items()}
        found = self._engine.api.get(_MASQ)
        masquerade = None if found is None else ranges_of(found.get("data") or {})
        mode = profile.get("mode") or ""
        verdict = upgrade_leftovers.judge_leftovers(
            agents,
            mode=mode,
            pod_ranges=profile.networks("pod-cidrs") if masquerade and mode == "overlay" else (),
            masquerade=masquerade,
        )
        facts = {
            "DaemonSets": ", ".join(sorted(agents.values())) or "none",
            "azure-ip-masq-agent-config": "none"
            if masquerade is None
            else ", ".join(map(str, masquerade)) or "no range",
        }
        return judge_sheet(self._engine, "what is left over", facts, verdict, _DAEMON_SETS)

    def assert_no_removed_api_asked(self) -> FactSheet:
        """No client has asked for an API that the next version does not serve.

        Raises OutputUnparsable where /metrics is not what an API server says.
        """
        asked = deprecated_apis(self._engine.api.text("/metrics"))
        facts = {"API server": _version(self._engine)} | {
            f"{one.group or 'core'}/{one.version} {one.resource}": one.removed_release or "kept"
            for one in asked
        }
        verdict = upgrade_leftovers.judge_deprecated_apis(asked, _version(self._engine))
        return judge_sheet(
            self._engine, "deprecated APIs that were asked for", facts, verdict, _METRICS
        )


def _place(found: Json) -> str:
    return f"{found['metadata']['namespace']}/{found['metadata']['name']}"


def _image(found: Json) -> str:
    containers = found["spec"]["template"]["spec"].get("containers") or ()
    if not containers:
        raise FactUnknown(f"DaemonSet {_place(found)} has no container")
    return str(containers[0].get("image", ""))


def _retirements(engine: Engine, images: Mapping[str, str]) -> dict[str, Retirement]:
    profile, azure = engine.profile, engine.profile.azure
    found: dict[str, Retirement] = {}
    if profile.get("mode") == "kubenet":
        found["network mode kubenet"] = upgrade_retirements.KUBENET
    agents = _daemon_sets(engine)
    found |= {
        f"DaemonSet {_place(agents[name])}": one for name, one in _AGENTS.items() if name in agents
    }
    if profile.get("load-balancer-sku") == "basic":
        found["load balancer SKU basic"] = upgrade_retirements.BASIC_BALANCER
    for pool in azure.pools if azure else ():
        if pool.kind == "AvailabilitySet":
            found[f"agent pool {pool.name}"] = upgrade_retirements.AVAILABILITY_SETS
    for one in engine.api.items("/apis/networking.k8s.io/v1/ingressclasses"):
        if str((one.get("spec") or {}).get("controller", "")).startswith(_MANAGED_NGINX):
            where = f"IngressClass {one['metadata']['name']}"
            found[where] = upgrade_retirements.MANAGED_NGINX
    for one in engine.api.items("/apis/apps/v1/namespaces/kube-system/deployments"):
        if one["metadata"]["name"] == _MESH:
            found[f"Deployment {_place(one)}"] = upgrade_retirements.SERVICE_MESH_ADDON
    return found | upgrade_retirements.retirements_of_images(images)


def _daemon_sets(engine: Engine) -> dict[str, Json]:
    found = engine.api.items("/apis/apps/v1/daemonsets")
    return {str(one["metadata"]["name"]): one for one in found}


def _version(engine: Engine) -> str:
    return engine.profile.need("kubernetes-version")


def _today(engine: Engine) -> datetime.date:
    return engine.site.as_of or datetime.datetime.now(datetime.UTC).date()
