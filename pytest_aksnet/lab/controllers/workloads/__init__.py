"""The workload controllers: Deployment, ReplicaSet, DaemonSet, StatefulSet.

Small but real: they create, scale, delete and report. A changed template replaces pods without the
pacing of a rolling update.
"""
