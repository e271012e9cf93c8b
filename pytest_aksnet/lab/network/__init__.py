"""The lab's network: Azure fabric, nodes, pods, service proxy, policies, masquerade, balancer.

Owns everything between network namespaces. Compilers here are pure (views in, a TableProgram
out); only `fabric`, `node` and `tables` talk to the kernel, and `model` puts them together. Knows
nothing of containers, API objects or controllers beyond `lab.network_views`.
"""
