"""Names of Services, as pods on every node resolve them."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="dns.service-name", feature="dns", severity="critical", needs=("kubernetes-service",)
)
def test_service_name(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """The full name of a Service resolves to its cluster address from every node.

    Why: it is how workloads find each other.

    Remedy: the diagnosis names the layer; dns.layers looks at all of them.
    """
    api = aks.service("default", "kubernetes")
    netshoot(on=node).assert_resolves(api.fqdn, to=api)


@pytest.mark.aksnet(
    id="dns.search-path", feature="dns", severity="major", needs=("kubernetes-service",)
)
def test_search_path(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """A Service resolves by its short name, through the search path that pods are given.

    Why: manifests name Services by `service` or `service.namespace`.

    Remedy: see dns.cluster-first for what the pods' resolv.conf should say.
    """
    netshoot(on=node).assert_resolves("kubernetes.default", to=aks.service("default", "kubernetes"))


@pytest.mark.aksnet(id="dns.headless-service", feature="dns", severity="major")
def test_headless_service(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A headless Service resolves to the addresses of exactly its ready pods.

    Why: clients of databases and queues choose among these addresses themselves.

    Remedy: kubectl get endpointslices of the Service; a slice that is right and an answer that is
    not point to CoreDNS' view of the API server.
    """
    ready = netshoot.on_each(aks.nodes[:2], labels={"app": "headless"})
    waiting = netshoot(on=aks.nodes[0], labels={"app": "headless"}, ready=False)
    assert waiting.pod.ip not in {pod.pod.ip for pod in ready}
    name = service(ready, headless=True).fqdn
    netshoot().assert_resolves(name, to=[pod.pod.ip for pod in ready])


@pytest.mark.aksnet(id="dns.not-ready-addresses", feature="dns", severity="minor")
def test_not_ready_addresses(netshoot: NetshootFactory, service: ServiceFactory) -> None:
    """With publishNotReadyAddresses a headless Service also has pods that are not ready.

    Why: members of a StatefulSet find each other by it before they are ready.

    Remedy: kubectl get endpointslices of the Service, conditions of the endpoints.
    """
    waiting = netshoot(labels={"app": "waiting"}, ready=False)
    name = service([waiting], headless=True, spec={"publishNotReadyAddresses": True}).fqdn
    netshoot().assert_resolves(name, to=waiting.pod.ip)


@pytest.mark.aksnet(id="dns.pod-hostname", feature="dns", severity="major")
def test_pod_hostname(netshoot: NetshootFactory, service: ServiceFactory) -> None:
    """A pod with hostname and subdomain, as those of a StatefulSet, has a name below its Service.

    Why: members of a StatefulSet know each other by such names.

    Remedy: the Service must be headless and have the name of the subdomain; see hostname in its
    EndpointSlice.
    """
    spec = {"hostname": "member-0", "subdomain": "aksnet-members"}
    member = netshoot(labels={"app": "member"}, spec=spec)
    members = service([member], name="aksnet-members", headless=True)
    netshoot().assert_resolves(f"member-0.{members.fqdn}", to=member.pod.ip)


@pytest.mark.aksnet(id="dns.reverse-pod", feature="dns", severity="minor")
def test_reverse_pod(netshoot: NetshootFactory, service: ServiceFactory) -> None:
    """The address of a pod with a hostname below a headless Service has that name (PTR).

    Why: databases and mail servers check the name of who connects.

    Remedy: the zones in-addr.arpa and ip6.arpa must stand in the plugin kubernetes of the Corefile.
    """
    spec = {"hostname": "reverse-0", "subdomain": "aksnet-reverse"}
    member = netshoot(labels={"app": "reverse"}, spec=spec)
    members = service([member], name="aksnet-reverse", headless=True)
    netshoot().assert_reverse(member.pod.ip, f"reverse-0.{members.fqdn}")


@pytest.mark.aksnet(
    id="dns.reverse-service", feature="dns", severity="minor", needs=("kubernetes-service",)
)
def test_reverse_service(netshoot: NetshootFactory, aks: Aks) -> None:
    """The cluster address of a Service has its name (PTR).

    Why: logs and tools show names of addresses by it.

    Remedy: the zones in-addr.arpa and ip6.arpa must stand in the plugin kubernetes of the Corefile.
    """
    api = aks.service("default", "kubernetes")
    netshoot().assert_reverse(api.cluster_ip, api.fqdn)


@pytest.mark.aksnet(id="dns.pod-record", feature="dns", severity="info", needs=("corefile",))
def test_pod_record(netshoot: NetshootFactory) -> None:
    """The name that is made of a pod's address resolves to it.

    Why: certificates of pods are made for such names.

    When: the plugin kubernetes of the Corefile has `pods insecure` or `pods verified`, as on AKS.

    Remedy: see the Corefile in ConfigMap coredns.
    """
    pod = netshoot()
    pod.assert_pod_record(pod.pod)


@pytest.mark.aksnet(id="dns.service-ports", feature="dns", severity="minor")
def test_service_ports(netshoot: NetshootFactory, service: ServiceFactory) -> None:
    """A named port of a Service has an SRV record with its number, and no other port has it.

    Why: gRPC, SIP and LDAP clients, and databases, find ports by it.

    Remedy: the port must have a name; see dns.service-name where other records fail as well.
    """
    ports = [{"name": "web", "port": 8080}, {"name": "admin", "port": 9090}]
    both = service(spec={"ports": ports})
    netshoot().assert_records(f"_web._tcp.{both.fqdn}.", "SRV", [f"8080 {both.fqdn}"])


@pytest.mark.aksnet(
    id="dns.external-name", feature="dns", severity="minor", needs=("kubernetes-service",)
)
def test_external_name(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A Service of type ExternalName is an alias of the name that it stands for.

    Why: databases outside of the cluster are often named so.

    Remedy: see dns.service-name and dns.external-names for the two halves of the look-up.
    """
    api = aks.service("default", "kubernetes")
    alias = service(external_name=api.fqdn)
    netshoot().assert_resolves(alias.fqdn, to=[api.fqdn, api.cluster_ip])


@pytest.mark.aksnet(id="dns.service-comes-and-goes", feature="dns", severity="major")
def test_service_comes_and_goes(netshoot: NetshootFactory, service: ServiceFactory) -> None:
    """The name of a new Service resolves, and that of a deleted one is denied.

    Why: replicas that lost their view of the API server go on with what they knew.

    Remedy: see the log of CoreDNS for its connection to the API server; restart it
    (kubectl rollout restart deployment coredns -n kube-system).
    """
    made = service(port=8080)
    netshoot().assert_resolves(made.fqdn, to=made)
    service.remove(made)
    netshoot().assert_gone(made)


@pytest.mark.aksnet(id="dns.dual-stack-service", feature="dns", severity="major")
def test_dual_stack_service(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A Service of both families has an address of each, within the ranges of Services.

    Why: clients choose the family by these records.

    When: the cluster is dual stack.

    Remedy: kubectl get service -o yaml, ipFamilies and clusterIPs.
    """
    aks.need_dual_stack()
    both = service(port=8080, spec={"ipFamilyPolicy": "RequireDualStack"})
    netshoot().assert_both_families(both)
