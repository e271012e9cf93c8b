"""The lab's stand-in for Azure Resource Manager, Entra ID and Azure Monitor.

Unmodified azure-identity, azure-mgmt-* and azure-monitor-* clients speak to it. What it tells is
computed at each request from what carries the packets: `lab.azure`, the Kubernetes store, the
spec and the network; what it is told to change, it changes there.

A facade in this: every api-version that a provider has gets the same documents, those of today's;
etags and GUIDs are derived from what they stand for; tokens are signed with a secret of the lab.
"""
