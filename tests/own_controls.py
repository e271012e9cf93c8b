"""A framework of a user's own, as a file of controls has it, for tests to change."""

OWN = """
[[framework]]
id = "acme-1"
name = "ACME"
title = "ACME network rules"
version = "1"
source = "https://example.com/rules"

[[framework.control]]
id = "7"
title = "Names are ours"
looks = "What pods are answered."
checks = ["dns.service-name", "acme.own-check", "dns.acme-names"]

[[framework.control]]
id = "8"
title = "Doors are locked"
blind = "Nobody can see the doors from a pod."
"""
