"""A system call filter that answers changes of identity and ownership with success.

In a user namespace of one user there is nothing to change to: setgroups(2) is denied, other users
and groups do not exist, and tcpdump, ping and package tools give up on that. The filter makes
these calls succeed without effect, as rootless container engines do. It forbids nothing.
"""

import ctypes
import os
import struct

from pytest_aksnet.lab.kernel import syscalls

_SECCOMP_MODE_FILTER = 2
_RET_ALLOW = 0x7FFF0000
_RET_ERRNO_0 = 0x00050000
_LOAD_WORD = 0x20
_JUMP_EQUAL = 0x15
_RETURN = 0x06
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE = 0, 4

# AUDIT_ARCH_*, and the numbers of setuid setgid setreuid setregid setgroups setresuid setresgid
# setfsuid setfsgid, chown fchown lchown (not on aarch64: only fchown) fchownat
_FILTERS = {
    "x86_64": (0xC000003E, (105, 106, 113, 114, 116, 117, 119, 122, 123, 92, 93, 94, 260)),
    "aarch64": (0xC00000B7, (146, 144, 145, 143, 159, 147, 149, 151, 152, 55, 54)),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def program(machine: str) -> bytes:
    """The filter as classic BPF for `uname -m` = machine; empty where it is not known."""
    if machine not in _FILTERS:
        return b""
    architecture, numbers = _FILTERS[machine]
    instructions = [
        (_LOAD_WORD, 0, 0, _OFFSET_ARCHITECTURE),
        (_JUMP_EQUAL, 0, len(numbers) + 1, architecture),
        (_LOAD_WORD, 0, 0, _OFFSET_NUMBER),
    ]
    for index, number in enumerate(numbers):
        instructions.append((_JUMP_EQUAL, len(numbers) - index, 0, number))
    instructions.append((_RETURN, 0, 0, _RET_ALLOW))
    instructions.append((_RETURN, 0, 0, _RET_ERRNO_0))
    return b"".join(struct.pack("=HBBI", *each) for each in instructions)


def pretend_identity_changes() -> None:
    """Install the filter for this process and all it will ever start. Raises OSError."""
    code = program(os.uname().machine)
    if not code:
        return
    buffer = ctypes.create_string_buffer(code, len(code))
    holder = _Program(len(code) // 8, ctypes.addressof(buffer))
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.prctl(syscalls.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(holder))
