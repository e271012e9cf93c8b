"""What the lab only pretends, because no Linux machine without the hardware has it.

Everything in here shows where a check looks and that it reacts; it proves nothing about drivers,
SR-IOV or offloads. Nothing in here carries packets.
"""
