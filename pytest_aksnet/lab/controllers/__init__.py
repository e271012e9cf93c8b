"""The control loops of the lab's cluster: scheduler, kubelets, endpoints, workloads and their kin.

Each loop watches the store and acts on what it finds, as its namesake in Kubernetes does. They see
the network and the containers only through `contracts`; none of them speaks HTTP.
"""
