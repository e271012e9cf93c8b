"""The agent as a process of this machine, spoken to line by line; and a reflector for it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_aksnet.model.probing import AgentScript
from pytest_aksnet.probes import agent, reflector


class AgentProcess:
    """Started with the stub, as in a pod. `hello` is its first line."""

    def __init__(self, script: AgentScript, *interpreter: str) -> None:
        words = (*interpreter, *script.argv[1:]) if interpreter else script.argv
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._rest = b""
        self._lists = 0
        self.write(script.text)
        self.hello = self.read()

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        while b"\n" not in self._rest:
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, f"the agent ended: {self.process.wait(5)}"
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        said = json.loads(line)
        assert isinstance(said, dict)
        return said

    def begin(self, probes: Sequence[str], budget_s: float = 30) -> None:
        """Send a list; probes are the words behind the index."""
        self._lists += 1
        lines = [f"list {self._lists} {budget_s} {len(probes)}"]
        lines += [f"p {index} {probe}" for index, probe in enumerate(probes)]
        self.write("\n".join(lines) + "\n")

    def end(self) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
        """The answers by index, and the end marker."""
        answers: dict[int, dict[str, Any]] = {}
        while "end" not in (said := self.read()):
            assert "bad" not in said, said
            if said.get("b") == self._lists:
                answers[said["i"]] = said
        return answers, said

    def ask(
        self, *probes: str, budget_s: float = 30
    ) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
        self.begin(probes, budget_s)
        return self.end()

    def close(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(10)
        self.process.stdout.close()
        return code


def python_agent(lease_s: float = 30.0) -> AgentProcess:
    made = agent.script(lease_s)
    return AgentProcess(made, sys.executable)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def running_reflector(*ports: int, pod: str = "web") -> Iterator[None]:
    process = subprocess.Popen(
        (sys.executable, *reflector.argv(*ports)[1:]),
        stdout=subprocess.PIPE,
        env={"POD_NAME": pod, "NODE_NAME": "node-a"},
    )
    assert process.stdout is not None
    while b"reflector" not in process.stdout.readline():
        pass
    yield
    process.kill()
    process.wait()
    process.stdout.close()
