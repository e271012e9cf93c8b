"""Faults of exec streams. Streams that are open when they are injected are hit as well."""

from pytest_aksnet.lab.api.trouble import Kind
from pytest_aksnet.lab.faults.rated import Chance
from pytest_aksnet.lab.faults.setting import PER_EXEC


class ExecStreamCut(Chance):
    """Connections that end."""

    name = "exec-stream-cut"
    describes = (
        "The connection of an exec ends in the middle of a frame, between two frames, or by a "
        "reset, without a close frame; the process lives on, as where a load balancer or the "
        "tunnel to the node drops it (AKS docs: tunnel connectivity issues)."
    )
    setting = PER_EXEC
    kind = Kind.STREAM_CUT


class ExecHalfOpen(Chance):
    """Connections that carry nothing any more."""

    name = "exec-half-open"
    describes = (
        "The connection of an exec stays open and carries nothing any more in either direction: "
        "no FIN, no pong, as after a lost NAT entry (Azure docs: load balancer TCP idle time-out)."
    )
    setting = PER_EXEC
    kind = Kind.STREAM_HALF_OPEN


class ExecStatusLost(Chance):
    """Streams without their last frame."""

    name = "exec-status-lost"
    describes = (
        "All frames of an exec arrive but the one with its exit status, then it closes with 1000, "
        "as of a kubelet whose runtime gave none (kubernetes: remotecommand, v4 protocol)."
    )
    setting = PER_EXEC
    kind = Kind.STATUS_LOST


class ExecFalseSuccess(Chance):
    """Streams whose status is not true."""

    name = "exec-false-success"
    describes = (
        "The status of an exec says Success, whatever the command's exit status was "
        "(cilium/cilium issue 22162: a curl succeeded that should have failed)."
    )
    setting = PER_EXEC
    kind = Kind.FALSE_SUCCESS


class ExecOutputLost(Chance):
    """Streams without the end of their output."""

    name = "exec-output-lost"
    describes = (
        "What a command wrote to its standard output in its last 50 ms is lost, its status is not, "
        "as in 39 of 60 runs with a terminal (recordings of a real API server, protocol v4)."
    )
    setting = PER_EXEC
    kind = Kind.OUTPUT_LOST


class ExecRefused(Chance):
    """Execs that do not begin."""

    name = "exec-refused"
    describes = (
        "An exec is refused at its handshake: 500 container not found, 500 error dialing backend, "
        "503 or 504, as while a kubelet or the tunnel to it restarts (recordings of a real server; "
        "AKS docs: tunnel connectivity issues)."
    )
    setting = PER_EXEC
    kind = Kind.EXEC_REFUSED
