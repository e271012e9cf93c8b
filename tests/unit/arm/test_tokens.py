"""The run's token: one for all, renewed in time, and what becomes of a credential without any."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.core.credentials import AccessTokenInfo

from pytest_aksnet.arm.tokens import NoToken, Tokens


class Told:
    """A credential that gives what a test tells: the lifetimes of tokens, or errors."""

    def __init__(self, *answers: float | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def get_token_info(self, *scopes: str, options: dict[str, Any]) -> AccessTokenInfo:
        self.asked.append({"scopes": scopes, **options})
        time.sleep(0.01)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return AccessTokenInfo(f"token {len(self.asked)}", int(time.time() + answer))


def tokens(*answers: float | Exception, longest_s: float = 10) -> tuple[Tokens, Told]:
    told = Told(*answers)
    return Tokens(told, ["scope"], longest_s), told


def test_threads_share_one_token() -> None:
    shared, told = tokens(3600)
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: shared.current(), range(50)))
    assert found == {"token 1"}
    assert told.asked == [{"scopes": ("scope",)}]


def test_a_token_that_ends_soon_is_renewed_and_used_as_long_as_it_is_good() -> None:
    shared, told = tokens(120, ValueError("not now"), 3600)
    assert [shared.current() for _ in range(3)] == ["token 1", "token 1", "token 3"]
    assert len(told.asked) == 3


def test_an_expired_token_that_cannot_be_renewed_is_none() -> None:
    shared, _ = tokens(-1, ValueError("not now"))
    assert shared.current() == "token 1"
    with pytest.raises(NoToken, match="not now"):
        shared.current()


def test_a_challenge_is_answered_once_for_all_threads() -> None:
    shared, told = tokens(3600, 3600)
    refused = shared.current()
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: shared.instead_of(refused, "{claims}"), range(20)))
    assert found == {"token 2"}
    assert told.asked[1:] == [{"scopes": ("scope",), "claims": "{claims}"}]
    assert shared.current() == "token 2"


def test_a_failure_is_remembered() -> None:
    shared, told = tokens(ValueError("no\nway"), 3600)
    for _ in range(3):
        with pytest.raises(NoToken, match="no\nway"):
            shared.current()
    assert len(told.asked) == 1


def test_a_credential_that_hangs_is_not_waited_for() -> None:
    held = threading.Event()

    class Hangs:
        def get_token_info(self, *scopes: str, options: dict[str, Any]) -> AccessTokenInfo:
            held.wait(30)
            raise ValueError

    shared = Tokens(Hangs(), [], 0.1)
    with pytest.raises(NoToken, match=r"no token within 0\.1 s"):
        shared.current()
    held.set()
