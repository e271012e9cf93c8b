"""Owns every word with the cluster: client, exec, probe pods, run scope, facts.

The only package that imports kubernetes and websockets. It judges nothing, parses no tool's output,
and writes no report. Whatever it creates carries the labels of the run.
"""
