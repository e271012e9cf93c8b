"""The Linux kernel as the lab uses it: system calls, namespaces, seccomp, netlink, nftables.

Thin and typed. Knows nothing of clusters, pods or Kubernetes.
"""
