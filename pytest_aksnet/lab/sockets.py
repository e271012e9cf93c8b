"""Opens sockets in a network namespace, so that the lab's one event loop serves many of them."""

import socket

from pytest_aksnet.lab.kernel.syscalls import in_netns


def udp_socket(netns_fd: int, address: str = "", port: int = 0) -> socket.socket:
    """A non-blocking UDP socket bound in that namespace; of IPv6 where the address is.

    Raises OSError.
    """
    with in_netns(netns_fd):
        opened = socket.socket(_family(address), socket.SOCK_DGRAM)
    return _bound(opened, address, port)


def tcp_listener(netns_fd: int, address: str = "", port: int = 0) -> socket.socket:
    """A non-blocking listening TCP socket in that namespace; of IPv6 where the address is.

    Raises OSError.
    """
    with in_netns(netns_fd):
        opened = socket.socket(_family(address), socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound = _bound(opened, address, port)
    bound.listen(128)
    return bound


def tcp_socket(netns_fd: int) -> socket.socket:
    """A non-blocking, unconnected TCP socket of that namespace. Raises OSError."""
    with in_netns(netns_fd):
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setblocking(False)
    return opened


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _bound(opened: socket.socket, address: str, port: int) -> socket.socket:
    try:
        opened.setblocking(False)
        if opened.family == socket.AF_INET6:
            # The same port of IPv4 is another socket's.
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
    except OSError:
        opened.close()
        raise
    return opened
