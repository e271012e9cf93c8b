"""The files of the network plugin on a node: its configuration, its state and its logs.

They are made from the lab's real state, in the form that azure-vnet, azure-vnet-ipam, containerd
and host-local give them; nothing reads them but people and checks.
"""
