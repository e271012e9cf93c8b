"""An AKS-like network on this machine: real network namespaces, real packets, a Kubernetes API.

It runs in a process of its own, is spoken to only over the wire, and imports nothing of the rest
of pytest-aksnet, so that what is tested and what tests share no mistake.
"""
