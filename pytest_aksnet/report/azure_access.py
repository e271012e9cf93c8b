"""What a run did not look at for lack of access to Azure: said once, for all checks together. Pure.

Without credentials it says which checks Azure would add; after a refusal, which actions are missing
and a role that has them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.model.azure_role import role_definition
from pytest_aksnet.model.record import CheckOutcome, CheckRecord, Skip

_ROLE = "pytest-aksnet missing actions"
_ABOUT = "What a run of pytest-aksnet could not read for lack of a permission"
CREATE_ROLE = "az role definition create --role-definition @FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A check that was skipped for lack of access, of a test or of a test's record."""

    check: str
    skip: Skip
    reason: str
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingAction:
    """An action of Azure that the identity may not take, and the ids of the checks it hides."""

    action: str
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureAccess:
    """What more access would show. `not_asked` says why nothing was asked, and what to set.

    `would_add` are the ids of the checks that Azure would add then. `role` is a role definition
    with the missing actions, None where none is missing.
    """

    not_asked: str = ""
    would_add: tuple[str, ...] = ()
    missing: tuple[MissingAction, ...] = ()
    role: Mapping[str, object] | None = None


def skipped_of(records: Iterable[CheckRecord]) -> Iterator[Skipped]:
    """The checks among these that were skipped for lack of access."""
    for record in records:
        if record.outcome is CheckOutcome.SKIPPED and record.skip in _FOR_ACCESS:
            yield Skipped(
                check=record.id,
                skip=record.skip,
                reason=record.reason,
                actions=record.missing_actions,
            )


_FOR_ACCESS = (Skip.AZURE_NOT_ASKED, Skip.AZURE_FORBIDDEN)


def azure_access(skipped: Iterable[Skipped], scopes: Sequence[str] = ()) -> AzureAccess | None:
    """What more access would show; None where nothing was hidden.

    `scopes` are the subscriptions that the role is for.
    """
    every = sorted(skipped, key=lambda one: one.check)
    not_asked = [one for one in every if one.skip is Skip.AZURE_NOT_ASKED]
    hidden: dict[str, dict[str, None]] = {}
    for one in every:
        for action in one.actions:
            hidden.setdefault(action, {})[one.check] = None
    if not not_asked and not hidden:
        return None
    return AzureAccess(
        not_asked=not_asked[0].reason if not_asked else "",
        would_add=tuple(dict.fromkeys(one.check for one in not_asked)),
        missing=tuple(
            MissingAction(action=action, checks=tuple(checks))
            for action, checks in sorted(hidden.items())
        ),
        role=role_definition(_ROLE, _ABOUT, hidden, scopes) if hidden else None,
    )


def not_asked_line(access: AzureAccess) -> str:
    """How many checks Azure would add, and what to set, in one sentence."""
    count = len(access.would_add)
    checks = f"{count} checks ask" if count > 1 else "1 check asks"
    return f"{checks} Azure Resource Manager and would run with it. {access.not_asked}"


def permission_lines(access: AzureAccess) -> Iterator[str]:
    """Each missing action with the checks that it hides, and the role."""
    for missing in access.missing:
        yield f"{missing.action}: without it not looked at: {', '.join(missing.checks)}"
    if access.role is not None:
        yield f"docs/azure-role.json allows all that is read; what is missing, for {CREATE_ROLE}:"
        yield from role_text(access).split("\n")


def role_text(access: AzureAccess) -> str:
    """The role definition as a file of `az` has it; empty where there is none."""
    return json.dumps(access.role, indent=2) if access.role is not None else ""
