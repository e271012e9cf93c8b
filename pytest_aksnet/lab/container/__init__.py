"""Machines and pods as processes: namespaces, root file systems, fork servers, life and death.

Owns every process of the lab. Knows nothing of Kubernetes objects and nothing of addresses or
routes: it hands out network namespaces and `network` fills them.
"""
