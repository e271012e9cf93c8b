"""The system call filter, run by a small interpreter of classic BPF."""

import struct

import pytest

from pytest_aksnet.lab.kernel.seccomp import program

ALLOW, SUCCEED = 0x7FFF0000, 0x00050000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# From the kernel's tables: arch/x86/entry/syscalls/syscall_64.tbl, asm-generic/unistd.h
SETGROUPS = {"x86_64": 116, "aarch64": 159}
FCHOWNAT = {"x86_64": 260, "aarch64": 54}
OPENAT = {"x86_64": 257, "aarch64": 56}


def answer(machine: str, architecture: int, number: int) -> int:
    code = list(struct.iter_unpack("=HBBI", program(machine)))
    data = {0: number, 4: architecture}
    accumulator = counter = 0
    while True:
        operation, if_equal, if_not, value = code[counter]
        counter += 1
        if operation == 0x20:
            accumulator = data[value]
        elif operation == 0x15:
            counter += if_equal if accumulator == value else if_not
        else:
            assert operation == 0x06
            return int(value)


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("numbers", [SETGROUPS, FCHOWNAT])
def test_changes_of_identity_and_ownership_succeed(machine: str, numbers: dict[str, int]) -> None:
    assert answer(machine, ARCHITECTURES[machine], numbers[machine]) == SUCCEED


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_other_system_calls_are_let_through(machine: str) -> None:
    architecture = ARCHITECTURES[machine]
    assert answer(machine, architecture, OPENAT[machine]) == ALLOW
    touched = [n for n in range(500) if answer(machine, architecture, n) == SUCCEED]
    # The seven of setuid's and setgid's family, setgroups, the two of setfs*id, chown's family.
    assert len(touched) == {"x86_64": 13, "aarch64": 11}[machine]


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_system_calls_of_another_architecture_are_let_through(machine: str) -> None:
    assert answer(machine, 0x40000003, SETGROUPS[machine]) == ALLOW


def test_an_unknown_architecture_has_no_filter() -> None:
    assert program("riscv64") == b""
