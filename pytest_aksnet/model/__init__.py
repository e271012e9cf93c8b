"""The data that the layers hand to one another: errors, peers, executions, observations, verdicts.

Data only. Nothing here does I/O, imports a third-party package, or knows another layer.
"""
