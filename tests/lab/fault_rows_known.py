"""Faults that have tests of their own, which say more than a row does."""

from tests.lab.fault_rows import FaultRow

ROWS: tuple[FaultRow, ...] = ()

_NETWORK = "test_lab_faults.py::test_"
_WAYS = "test_lab_faults_of_ways.py::test_"
_API = "test_lab_api_faults.py::test_"
_PODS = "test_lab_pod_faults.py::test_"
_STREAMS = "test_lab_stream_faults.py::test_"

ELSEWHERE = {
    "private-zone-unlinked": f"{_NETWORK}an_unlinked_private_zone_gives_the_public_address",
    "masquerade-inside-vnet": f"{_NETWORK}masquerading_inside_the_vnet_hides_pods",
    "policy-not-enforced-on-node": f"{_NETWORK}a_policy_does_not_hold_on_the_broken_node_only",
    "kube-proxy-rules-missing": (
        f"{_NETWORK}without_kube_proxy_rules_services_fail_on_the_chosen_node_only"
    ),
    "local-policy-loses-source": f"{_NETWORK}a_broken_local_policy_hides_the_client",
    "nic-without-vf": f"{_NETWORK}a_node_without_its_vf_is_slow_and_says_so",
    "coredns-servfail": f"{_WAYS}a_servfail_override_silences_every_replica",
    "pod-route-missing": (
        f"{_WAYS}without_a_route_the_pods_of_one_node_are_cut_off_from_other_nodes"
    ),
    "nsg-blocks-node-ports": (
        f"{_WAYS}the_nsg_rule_closes_high_ports_of_one_node_to_other_machines"
    ),
    "node-drops-pod-traffic": f"{_WAYS}a_node_that_drops_its_pods_still_reaches_them",
    "egress-address-changed": f"{_WAYS}a_changed_egress_address_is_what_the_internet_sees",
    "health-check-port-dead": f"{_WAYS}dead_health_check_ports_are_dead_on_one_node_only",
    "pod-bandwidth-capped": f"{_WAYS}pods_of_one_node_receive_slowly_and_so_do_new_ones",
    "long-packets-lost": f"{_WAYS}a_node_that_loses_long_packets_passes_short_ones",
    "api-429": f"{_API}429_looks_as_that_of_the_priority_and_fairness_filter",
    "api-5xx-burst": f"{_API}server_errors_have_the_forms_of_real_ones",
    "api-latency": f"{_API}latency_delays_requests_and_streams_and_loses_nothing",
    "api-round-trip": f"{_API}a_round_trip_delays_both_directions_and_is_no_less_fast",
    "api-restart": f"{_API}a_restart_ends_all_connections_and_the_history_of_changes",
    "watch-410": f"{_API}watches_expire_at_their_start",
    "token-expired": f"{_API}a_token_expires_and_a_new_one_is_good",
    "quota-exceeded": f"{_API}an_exceeded_quota_is_refused_in_the_recorded_words",
    "api-trouble": f"{_API}all_at_random_hits_and_can_always_be_healed",
    "pod-evicted": f"{_PODS}an_evicted_pod_is_failed_and_its_processes_are_killed",
    "image-pull-fails": f"{_PODS}images_of_a_pod_can_not_be_pulled",
    "slow-pod-start": f"{_PODS}a_slow_node_starts_pods_later",
    "exec-stream-cut": f"{_STREAMS}streams_are_cut_in_each_way",
    "exec-half-open": f"{_STREAMS}a_half_open_stream_carries_nothing_either_way",
    "exec-status-lost": f"{_STREAMS}a_lost_status_leaves_all_else",
    "exec-false-success": f"{_STREAMS}a_false_status_says_success",
    "exec-output-lost": f"{_STREAMS}the_tail_of_the_output_is_lost_but_not_what_came_before",
    "exec-refused": f"{_STREAMS}execs_are_refused_in_the_words_of_kubelets_and_tunnels",
}
