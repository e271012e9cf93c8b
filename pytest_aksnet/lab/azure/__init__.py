"""Azure's side of the lab as resources: what is set up, for the fabric to do and for ARM to tell.

`resources` are the kinds, `state` is the one place where they stand: the fabric compiles its
packet rules from it, Azure DNS answers from it, ARM shows it, and faults change it. Nothing here
touches the kernel or the wire.
"""
