"""Rows of what is wrong with NICs of nodes, and with the way between them."""

from tests.e2e.fault_matrix import Row, between, on

_LAST = 2
_TO_LAST, _FROM_LAST = (1, _LAST), (_LAST, 0)
_TOPIC = "accelerated-networking"
# Of the pool's two nodes one has no virtual function that could differ.
_ALONE = {f"{_TOPIC}.same-driver[user]"}
_NOBODY_ELSE = ("nothing to compare with",)

ROWS = (
    *(
        Row(
            fault="nic-without-vf",
            mode=mode,
            fails=between(f"{_TOPIC}.vf-used-by-receiver", _TO_LAST)
            | between(f"{_TOPIC}.throughput-back", _TO_LAST, _FROM_LAST),
            names_cause=("virtual function", "should carry"),
            cannot_judge=_ALONE,
            names_why=_NOBODY_ELSE,
        )
        for mode in ("overlay", "node-subnet")
    ),
    Row(
        fault="vf-driver-mixed",
        fails={f"{_TOPIC}.same-driver[user]"},
        names_cause=("should have one driver",),
        quick=True,
    ),
    Row(
        fault="vf-counters-flat",
        fails=between(f"{_TOPIC}.vf-used", _FROM_LAST)
        | between(f"{_TOPIC}.vf-used-by-receiver", _TO_LAST),
        names_cause=("the synthetic path carries the traffic",),
    ),
    Row(
        fault="rx-drops",
        fails=between(f"{_TOPIC}.ring-overflows", _TO_LAST, _FROM_LAST)
        | between(f"{_TOPIC}.retransmits", _TO_LAST),
        names_cause=("rx_dropped", "sent again"),
    ),
    Row(
        fault="throughput-capped",
        fails=between(f"{_TOPIC}.throughput-between-nodes", _TO_LAST, _FROM_LAST)
        | between(f"{_TOPIC}.throughput-back", _TO_LAST, _FROM_LAST),
        names_cause=("should carry",),
    ),
    Row(
        fault="latency",
        fails={f"{_TOPIC}.latency"},
        names_cause=("should take at most 10 ms",),
    ),
    Row(
        fault="accelerated-networking-off",
        fails=on(f"{_TOPIC}.vf-present", _LAST)
        | between(f"{_TOPIC}.vf-used", _FROM_LAST)
        | between(f"{_TOPIC}.vf-used-by-receiver", _TO_LAST)
        | between(f"{_TOPIC}.throughput-between-nodes", _TO_LAST, _FROM_LAST)
        | between(f"{_TOPIC}.throughput-back", _TO_LAST, _FROM_LAST),
        names_cause=("virtual function", "should carry", "accelerated networking"),
        cannot_judge=_ALONE,
        names_why=_NOBODY_ELSE,
    ),
)
