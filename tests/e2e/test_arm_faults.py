"""Azure Resource Manager in trouble: no check of the suites fails for it; each says what it is."""

from pathlib import Path

import pytest

from tests.e2e.suite_run import run_suites

# What no check is there for any more, in the reason of those that could not look.
_NOTHING = {
    "arm-403": ("skipped", "Microsoft.Resources/subscriptions/resourceGroups/read"),
    "arm-429=1": ("inconclusive", "too many requests"),
    "arm-5xx=1": ("inconclusive", "503 ServerTimeout"),
}
# What some checks cannot see, and the others do.
_SOME = {
    "arm-half-broken=1": "",
    "arm-operation-fails": "ARM began it, and it failed",
    "arm-provider-unregistered": "az provider register --namespace Microsoft.Insights",
}
# What is got over.
_NONE = ("arm-token-expired", "arm-slow=0.2", "arm-429=0.1")


@pytest.mark.thorough
@pytest.mark.parametrize("fault", [*_NOTHING, *_SOME, *_NONE])
def test_arm_in_trouble_makes_no_check_fail(fault: str, tmp_path: Path) -> None:
    run = run_suites(
        tmp_path,
        *("--aksnet-lab=overlay", "--aksnet-lab-arm", f"--aksnet-lab-fault={fault}"),
        suites=("suites/azure",),
        seconds=600,
    )
    outcomes = set(run.outcomes().values())
    assert "Traceback" not in run.terminal
    assert not {"failed", "error"} & outcomes, run.terminal
    if fault in _NOTHING:
        outcome, said = _NOTHING[fault]
        assert outcomes == {outcome}, run.terminal
        for reason in run.not_passed().values():
            assert said in reason
    elif fault in _SOME:
        assert {"passed", "inconclusive"} <= outcomes, run.terminal
        unseen = [one for one in run.not_passed().values() if one.startswith("inconclusive")]
        assert any(_SOME[fault] in reason for reason in unseen), unseen
    else:
        assert "inconclusive" not in outcomes, run.terminal
