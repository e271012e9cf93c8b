"""The datagrams between the lab's main process and the fork server."""

import errno
import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.lab.container import protocol

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield ends
    for end in ends:
        end.close()


@pytest.mark.parametrize("size", [0, 1_000, 40_000, 2_000_000])
def test_a_message_of_any_size_arrives_with_its_descriptors(pair: Pair, size: int) -> None:
    reading, writing = os.pipe()
    protocol.send(pair[0], {"text": "ä" * size}, [reading])
    os.close(reading)
    received = protocol.receive(pair[1])
    assert received is not None
    message, (descriptor,) = received
    assert message == {"text": "ä" * size}
    os.write(writing, b"x")
    assert os.read(descriptor, 10) == b"x"
    os.close(descriptor)
    os.close(writing)


def test_received_descriptors_are_not_inherited_by_programs(pair: Pair) -> None:
    protocol.send(pair[0], {}, [0])
    received = protocol.receive(pair[1])
    assert received is not None
    _, (descriptor,) = received
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_the_end_of_the_other_side_is_none(pair: Pair) -> None:
    pair[0].close()
    assert protocol.receive(pair[1]) is None


@given(st.dictionaries(st.text(), st.binary()))
def test_files_survive_packing(files: dict[str, bytes]) -> None:
    assert protocol.unpack_files(protocol.pack_files(files)) == files


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, FileNotFoundError),
        (errno.EACCES, PermissionError),
        (errno.ENOTDIR, NotADirectoryError),
        (errno.EROFS, OSError),
    ],
)
def test_an_error_arrives_as_the_kind_it_was(number: int, kind: type[OSError]) -> None:
    original = OSError(number, "text", "/path")
    restored = protocol.restore_error(protocol.describe_error(original))
    assert type(restored) is kind
    assert (restored.errno, restored.strerror, restored.filename) == (number, "text", "/path")


def test_an_error_without_a_number_arrives_as_text() -> None:
    restored = protocol.restore_error(protocol.describe_error(ValueError("what")))
    assert str(restored) == "ValueError: what"
