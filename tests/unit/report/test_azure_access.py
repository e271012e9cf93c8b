"""What lack of access to Azure hid: once for all checks, with a role."""

from pytest_aksnet.model.record import Skip
from pytest_aksnet.report.azure_access import (
    Skipped,
    azure_access,
    not_asked_line,
    permission_lines,
    role_text,
)


def not_asked(check: str) -> Skipped:
    return Skipped(check=check, skip=Skip.AZURE_NOT_ASKED, reason="Not asked: set X.")


def forbidden(check: str, *actions: str) -> Skipped:
    return Skipped(check=check, skip=Skip.AZURE_FORBIDDEN, reason="403", actions=actions)


def test_nothing_hidden_is_nothing_said() -> None:
    assert azure_access([]) is None


def test_checks_that_azure_would_add_are_named_once() -> None:
    access = azure_access([not_asked("azure.b"), not_asked("azure.a"), not_asked("azure.b")])
    assert access is not None
    assert access.would_add == ("azure.a", "azure.b")
    assert (access.missing, access.role, role_text(access)) == ((), None, "")
    assert not_asked_line(access) == (
        "2 checks ask Azure Resource Manager and would run with it. Not asked: set X."
    )


def test_each_missing_action_has_the_checks_that_it_hides() -> None:
    access = azure_access(
        [
            forbidden("azure.b", "Microsoft.Network/routeTables/read"),
            forbidden("azure.a", "Microsoft.Network/routeTables/read", "Microsoft.Compute/x/read"),
        ],
        ["/subscriptions/s"],
    )
    assert access is not None
    assert access.role is not None
    assert access.role["Actions"] == [
        "Microsoft.Compute/x/read",
        "Microsoft.Network/routeTables/read",
    ]
    assert access.role["AssignableScopes"] == ["/subscriptions/s"]
    lines = list(permission_lines(access))
    assert lines[:2] == [
        "Microsoft.Compute/x/read: without it not looked at: azure.a",
        "Microsoft.Network/routeTables/read: without it not looked at: azure.a, azure.b",
    ]
    assert "\n".join(lines[3:]) == role_text(access)
