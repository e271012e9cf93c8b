"""The lab's Kubernetes API: objects in memory behind the wire protocol of a real API server.

Owns storage, admission, discovery, watches and the exec streams. Does not own controllers: what
happens to an object after it is stored is other packages' business.
"""
