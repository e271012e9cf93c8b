"""Faults of single requests to the API server."""

from typing import ClassVar

from pytest_aksnet.lab.api.trouble import DEFAULT_LATENCY_SECONDS, Kind
from pytest_aksnet.lab.faults.rated import Chance
from pytest_aksnet.lab.faults.setting import PER_REQUEST, PER_WATCH, Setting


class TooManyRequests(Chance):
    """The server sheds load."""

    name = "api-429"
    describes = (
        "Requests, execs included, are answered with 429 and Retry-After, as by the API "
        "priority-and-fairness filter and by gateways (Kubernetes docs: API Priority and "
        "Fairness; k8s.io/apiserver: filters/priority-and-fairness.go)."
    )
    setting = PER_REQUEST
    kind = Kind.TOO_MANY_REQUESTS


class ServerErrors(Chance):
    """Bursts of errors of the server or of its storage."""

    name = "api-5xx-burst"
    describes = (
        "Bursts of up to four requests fail with 500 (etcd timeouts, a new leader), 503 or 504, or "
        "lose their answer; those that time out or lose it may have taken effect (k8s.io/"
        "apiserver: filters/timeout.go, registry storage errors; etcd: rpctypes/error.go)."
    )
    setting = Setting(meaning="share of the requests that fail", default=0.05, highest=1)
    kind = Kind.SERVER_ERRORS


class Latency(Chance):
    """A server that is far away, or slow."""

    name = "api-latency"
    describes = (
        "Every request, every frame of an exec's output and every batch of a watch comes later, as "
        "from a far region or a busy server (recordings of a real API server: an exec takes 49 ms)."
    )
    setting: ClassVar[Setting] = Setting(
        meaning="seconds added", default=DEFAULT_LATENCY_SECONDS, highest=60
    )
    kind = Kind.LATENCY


class RoundTrip(Chance):
    """A server at the other end of the world."""

    name = "api-round-trip"
    describes = (
        "The way between the API server and its clients takes this long there and back, for "
        "requests, watches and both directions of streams, and three times as long for the first "
        "request of a connection (TCP and TLS, RFC 8446); it is no less fast, as from one region "
        "to another (Azure docs: network round-trip latency statistics)."
    )
    setting: ClassVar[Setting] = Setting(
        meaning="seconds there and back", default=DEFAULT_LATENCY_SECONDS, highest=10
    )
    kind = Kind.ROUND_TRIP


class WatchExpired(Chance):
    """Watches that the server can not serve any more."""

    name = "watch-410"
    describes = (
        "Watches end with an ERROR event, code 410 Expired: at their start from a resourceVersion, "
        "or later instead of events that are then missed (Kubernetes docs: API concepts, "
        "410 Gone responses)."
    )
    setting = PER_WATCH
    kind = Kind.WATCH_EXPIRED


class QuotaExceeded(Chance):
    """No room for pods in the namespace."""

    name = "quota-exceeded"
    describes = (
        "The creation of a pod outside the system namespaces is refused with 403 exceeded quota, "
        "as where somebody else uses the rest of it (Kubernetes docs: Resource Quotas)."
    )
    setting = Setting(meaning="probability per created pod", default=0.05, highest=1)
    kind = Kind.QUOTA
