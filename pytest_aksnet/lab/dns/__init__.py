"""The DNS servers of the lab: a CoreDNS per replica and Azure DNS at 168.63.129.16.

Owns names and the DNS wire; knows neither the API server nor the container runtime. What the
cluster consists of comes in through `records.ClusterRecords`.
"""
