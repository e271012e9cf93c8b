"""SCTP in agent and reflector: spoken where the kernel has it, not looked at elsewhere."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from pytest_aksnet.probes import agent, agent_without_python, reflector
from tests.unit.probes.agent_process import AgentProcess, free_port

HERE = "127.0.0.1"

# In front of a script: a kernel that has SCTP (it is TCP underneath), and one that has it not.
_SOCKETS = """
import errno, os, socket, sys
_real, _Base = socket, socket.socket
class _Socket(_Base):
    _sctp = False
    def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
        if proto == 132 and fileno is None:
            self._sctp, proto = True, 0
            if not {has}:
                raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
        _Base.__init__(self, family, type, proto, fileno)
    def setsockopt(self, level, *option):
        if level == 132:
            assert self._sctp and option[0] == 0 and len(option[1]) == 16, option
        else:
            _Base.setsockopt(self, level, *option)
class _Module:
    def __getattr__(self, name):
        return _Socket if name == "socket" else getattr(_real, name)
sys.modules["socket"] = _Module()
"""


def _sockets(*, has: bool) -> str:
    return _SOCKETS.replace("{has}", str(has))


@contextmanager
def _reflector(*ports: int, has: bool, asked: bool = True) -> Iterator[Sequence[str]]:
    """A reflector; what it said until it was ready. Its TCP is not there, so SCTP can be it."""
    command = list(reflector.argv(*ports, sctp=asked))[1:]
    without_tcp = reflector.SCRIPT.replace(
        'listen(socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0", port)\n', "pass\n"
    ).replace('listen(socket.AF_INET6, socket.SOCK_STREAM, "::", port)\n', "pass\n")
    assert without_tcp.count("pass\n") == reflector.SCRIPT.count("pass\n") + 2
    command[command.index(reflector.SCRIPT)] = _sockets(has=has) + without_tcp
    with subprocess.Popen(
        (sys.executable, *command), stdout=subprocess.PIPE, text=True, env={"POD_NAME": "web"}
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        while not said or "reflector" not in said[-1]:
            line = process.stdout.readline()
            assert line, said
            said.append(line)
        yield said
        process.kill()


def _agent(*, has: bool) -> AgentProcess:
    made = agent.script()
    text = _sockets(has=has) + made.text
    words = [str(len(text)) if word == str(len(made.text)) else word for word in made.argv]
    return AgentProcess(replace(made, argv=tuple(words), text=text), sys.executable)


def test_it_is_answered_with_name_and_nonce_and_refused_where_nothing_listens() -> None:
    first, second = free_port(), free_port()
    with _reflector(first, second, has=True) as said, closing(_agent(has=True)) as process:
        assert not [line for line in said if "SCTP" in line]
        answers, end = process.ask(
            f"x {HERE} {first} 2 pod=web",
            f"x ::1 {second} 2 pod=web",
            f"x {HERE} {second} 2 pod=other",
            f"x {HERE} {free_port()} 2",
        )
    assert [answers[index]["v"] for index in range(4)] == ["ok", "ok", "wrong", "refused"]
    assert (answers[0]["x"]["pod"], answers[0]["x"]["source"]) == ("web", HERE)
    assert end["end"] == 4


def test_a_kernel_without_it_is_not_looked_at_and_says_what_it_lacks() -> None:
    first, second = free_port(), free_port()
    with _reflector(first, second, has=False) as said, closing(_agent(has=False)) as process:
        assert len([line for line in said if "SCTP" in line]) == 1
        answers, end = process.ask(
            f"x {HERE} {first} 2 pod=web", f"u {HERE} {second} 2 pod=web", f"t {HERE} 1 2"
        )
    assert [answers[index]["v"] for index in range(3)] == ["local", "ok", "refused"]
    assert answers[0]["x"]["lacks"] == "sctp"
    assert "not supported" in answers[0]["x"]["detail"]
    assert end["end"] == 3


def test_who_does_not_ask_for_it_has_no_such_socket() -> None:
    port = free_port()
    with _reflector(port, has=True, asked=False), closing(_agent(has=True)) as process:
        answers, _ = process.ask(f"x {HERE} {port} 2")
    assert answers[0]["v"] == "refused"


def test_an_image_without_python_can_not_speak_it() -> None:
    with closing(AgentProcess(agent_without_python.script(30))) as process:
        answers, _ = process.ask(f"x {HERE} {free_port()} 2")
    assert answers[0]["v"] == "local"
