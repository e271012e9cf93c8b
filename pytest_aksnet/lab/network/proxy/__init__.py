"""How nodes serve Services: kube-proxy in its modes iptables and nftables, and Cilium.

Pure: Services in, tables out; `network.node` writes them. Owns names, rules and traffic policies of
the proxies, not the tables of policy engines and not the load balancer.
"""
