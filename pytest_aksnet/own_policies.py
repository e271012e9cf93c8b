"""Collects a check for each policy of --aksnet-policies, and for each pod of --aksnet-policy-pods.

Loaded and registered only with one of these options. The policies of a file are its tests, as
functions are those of a Python file: "policies/web.yaml::policy[shop/web]". Pods are in no file:
"running-pods::pod[shop/web]".
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from pytest_aksnet import own_checks
from pytest_aksnet.expectations.policy_candidates import Surroundings
from pytest_aksnet.expectations.policy_scenario import scenario
from pytest_aksnet.model.errors import AksnetError
from pytest_aksnet.needs import MARKER
from pytest_aksnet.options import Settings
from pytest_aksnet.policy_files import PolicyFiles, read_policies
from pytest_aksnet.policy_pods import chosen_pods
from pytest_aksnet.policy_sessions import CASE_KEY
from pytest_aksnet.report.redaction import visible
from pytest_aksnet.run_state import READ_ONLY, refuse, session_of

POLICY_CHECK, POD_CHECK = "network-policy.own-policy", "network-policy.existing-workloads"


def collect_too(config: pytest.Config, settings: Settings) -> None:
    """Have the checks collected too; alone, if the command line asks for them and names no paths.

    What an ini file asks for comes on top of what would be collected without it.
    Raises pytest.UsageError for files that cannot be read or are wrong.
    """
    config.pluginmanager.register(_Summary(), "aksnet-own-summary")
    paths: list[Path] = []
    if settings.policies is not None:
        found = read_policies(settings.policies)
        config.pluginmanager.register(_PolicyHooks(found), "aksnet-own-policies")
        paths += dict.fromkeys(policy.file for policy in found.policies)
    if settings.policy_pods:
        config.pluginmanager.register(_PodHooks(settings.policy_pods), "aksnet-policy-pods")
    asked = config.getoption("aksnet_policies") or config.getoption("aksnet_policy_pods")
    if asked and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args[:] = map(str, paths)
        return
    named = [_path_of(config, arg) for arg in config.args]
    # Who names some of the files, or tests in them, wants no others of them.
    if not any(path in paths for path in named):
        config.args += map(str, paths)


def _path_of(config: pytest.Config, arg: str) -> Path:
    return (config.invocation_params.dir / arg.partition("::")[0]).resolve()


class _Summary:
    """Says at the end what the checks did not look at: it must not be taken for proven."""

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line for each check that has something to say."""
        said: dict[str, str] = {}
        for reports in terminalreporter.stats.values():
            for report in reports:
                properties = dict(getattr(report, "user_properties", ()))
                warnings = properties.get("aksnet_warnings")
                if warnings and properties.get("aksnet_id") in (POLICY_CHECK, POD_CHECK):
                    said[report.nodeid] = str(warnings)
        if said:
            terminalreporter.section("what was done otherwise, or not looked at")
        for nodeid, warnings in said.items():
            terminalreporter.write_line(f"{nodeid}: {visible(warnings)}")


class _PolicyHooks:
    """Makes tests of policies."""

    def __init__(self, found: PolicyFiles) -> None:
        self._found = found
        self._files = {policy.file.resolve() for policy in found.policies}
        self._folders = {
            folder
            for file in self._files
            for folder in file.parents
            if folder.is_relative_to(found.root.resolve())
        }

    def pytest_report_header(self) -> str:
        """Say what was read, and what was not."""
        return f"aksnet: {self._found.header}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Go into folders with policies, such as build/, that pytest leaves out by their names."""
        wanted = collection_path.resolve() in self._files | self._folders
        return False if wanted else None

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> "_PolicyFile | None":
        """A file with policies is a collector."""
        if file_path.resolve() not in self._files:
            return None
        file: _PolicyFile = _PolicyFile.from_parent(parent, path=file_path)
        file.found = self._found
        return file


class _PolicyFile(pytest.File):
    """A file of policies; each is a test."""

    found: PolicyFiles

    def collect(self) -> Iterator[pytest.Item]:
        """One check for each policy, in their order."""
        around = Surroundings(namespaces=self.found.namespaces, workloads=self.found.workloads)
        for own in self.found.policies:
            if own.file.resolve() == self.path.resolve():
                check = _Check.of(
                    self, f"policy[{own.name}]", POLICY_CHECK, own_checks.prove_own_policy
                )
                check.stash[CASE_KEY] = scenario(
                    own.policy, [other.policy for other in self.found.policies], around
                )
                yield check


class _PodHooks:
    """Makes tests of running pods."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        self._choices = choices

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # before markers are read and tests deselected
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Put the tests behind those that have files."""
        pods: _Pods = _Pods.from_parent(session, name=READ_ONLY, nodeid=READ_ONLY)
        pods.choices = self._choices
        try:
            items += pods.collect()
        except AksnetError as error:
            refuse(config, str(error), items)
        return (yield)


class _Pods(pytest.Collector):
    """The running pods that are named; each is a test."""

    choices: tuple[str, ...]

    def collect(self) -> Iterator[pytest.Item]:
        """One check for each pod as source. Raises AksnetError."""
        cluster = session_of(self.config).cluster
        for name, pod in chosen_pods(cluster, self.choices):
            check = _Check.of(self, f"pod[{name}]", POD_CHECK, own_checks.prove_policies_of_pod)
            check.stash[own_checks.POD_KEY] = pod
            yield check


class _Check(pytest.Function):
    """A check whose subject is in its stash."""

    @classmethod
    def of(
        cls, parent: pytest.Collector, name: str, check_id: str, function: Callable[..., None]
    ) -> "_Check":
        """The check of that name and id."""
        check: _Check = cls.from_parent(parent, name=name, callobj=function)
        check.add_marker(
            getattr(pytest.mark, MARKER)(id=check_id, feature="network-policy", severity="major")
        )
        return check

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where its subject is, which is not in our code."""
        return self.path, None, self.name
