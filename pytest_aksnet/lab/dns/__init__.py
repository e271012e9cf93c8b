"""The DNS servers of the lab: CoreDNS replicas, Azure DNS, those of the VNet, LocalDNS on nodes.

Owns names and the DNS wire; knows neither the API server nor the container runtime. What the
cluster consists of comes in through `records.ClusterRecords`.
"""
