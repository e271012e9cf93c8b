"""What suites call: the verbs of the pod that looks, one module per topic.

Each builds a probe, names the promise that judges it, and leaves looking, repeating, recording
and raising to the engine. No verb talks to a cluster, and none decides by itself.
"""
