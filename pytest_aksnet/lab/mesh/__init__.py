"""A small service mesh after Istio, which runs in pods of the lab: a control plane and sidecars.

`istiod` watches the API server with its ServiceAccount's token and tells every sidecar what
`translate` makes of it; `proxy` is the sidecar. Standard library only, as pods run them with the
Python of their image; of the rest of the project they import the ingress controller's `kube` alone.
Not here: gateways, IPv6, telemetry, authorization policies, rules of a VirtualService that match by
path or header, and applications in the mesh that speak TLS themselves.
"""
