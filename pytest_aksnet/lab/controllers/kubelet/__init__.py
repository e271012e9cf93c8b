"""The kubelets: run what the pods of their nodes ask for and report how it goes.

One `NodeAgent` per node, one `PodWorker` per pod, one `ContainerRunner` per container. Namespaces
and processes are the runtime's, interfaces and addresses the network's.
"""
