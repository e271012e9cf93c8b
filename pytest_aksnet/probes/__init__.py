"""What is run in a pod and how its text is read: one pure module per tool.

A probe is a frozen value: `build()` gives an argv list (never a shell string with data in it),
`parse(Completed)` gives an observation. Nothing here runs anything, judges, or knows a cluster.
A parser that does not know a text raises OutputUnparsable; a missing tool is ToolMissing.
"""
