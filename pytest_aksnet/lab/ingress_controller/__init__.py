"""A small ingress controller on nginx, which runs in pods of the lab as others run in a cluster.

It knows nothing of the lab: it watches the API server with its ServiceAccount's token, writes
nginx.conf, has nginx reload it, and writes the statuses. Standard library only, as the pod runs it
with the Python of its image; `__main__` is what runs. It imports nothing else of the project.
"""
