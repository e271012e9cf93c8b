"""The option table, and the frozen `Settings` that the rest of the plugin reads.

pytest imports this module in every run that has the plugin installed: standard library and pytest
only. Every standing choice has an ini twin (`--aksnet-report-dir` is `aksnet_report_dir`). The
command line wins over the ini file; relative paths start at the working directory or at the ini
file, whichever names them. What is wrong is one `pytest.UsageError` that names option, value and
remedy.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

LAB_MODES = ("overlay", "node-subnet", "pod-subnet", "kubenet")
LAB_ENGINES = ("calico", "azure", "cilium", "none")
KEEP = ("never", "failed", "always")
SECOND_RUN = ("wait", "refuse", "share")
CLOUDS = ("public", "usgov", "china")
POLICY_CELLS = ("all", "sample")
POLICY_CASES = ("all", "default", "netpol")
DEFAULT_POLICY_SETS = 3
ALLOWED_BY_DEFAULT = frozenset({"host-network", "bandwidth"})
FORBIDDEN_BY_DEFAULT = frozenset({"privileged", "load-balancer", "public-ip", "capture"})
ACTION_CLASSES = ALLOWED_BY_DEFAULT | FORBIDDEN_BY_DEFAULT
DEFAULT_IMAGE = "nicolaka/netshoot:v0.13"
DEFAULT_REPORT_DIR = "reports"
DEFAULT_SITE_FILE = "aksnet.toml"
DEFAULT_LEASE_NAMESPACE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user chose, read once per process.

    `lab_mode` is empty where no lab was asked for; `lab_spec` has the lab's other options.
    `allowed` holds the action classes that checks may take. `tolerations` are those of the API, for
    every pod. `report_dir` is where a run leaves its report, None where this run leaves none.
    `resource_id` names the cluster in Azure, None where it is found from the nodes; `lab_arm` says
    that the lab's Azure is asked. `policy_cells`, `policy_sets` and `policy_cases` are what policy
    truth tables look at, with how many sets of pods, and for which cases. `policies` is where the
    user's own policies are; `policy_pods` name running pods whose policies are proved as they are.
    `controls` is the user's own file of controls. With `redact_subscriptions` nothing that is
    written or shown holds the id of a subscription or tenant.
    """

    kubeconfig: str | None
    context: str | None
    lab_mode: str
    lab_engine: str
    lab_faults: tuple[str, ...]
    lab_spec: Path | None
    site_file: Path | None
    profile: Mapping[str, str]
    image: str
    image_pull_secret: str | None
    node_selector: str | None
    tolerations: tuple[Mapping[str, str], ...]
    max_nodes: int | None
    allowed: frozenset[str]
    keep: str
    second_run: str
    lease_namespace: str
    report_dir: Path | None
    baseline: Path | None
    save_baseline: Path | None
    plan: bool
    resource_id: str | None = None
    policy_cells: str = POLICY_CELLS[0]
    policy_sets: int = DEFAULT_POLICY_SETS
    policy_cases: str = POLICY_CASES[0]
    policies: Path | None = None
    policy_pods: tuple[str, ...] = ()
    cloud: str = CLOUDS[0]
    lab_arm: bool = False
    controls: Path | None = None
    redact_subscriptions: bool = False

    @property
    def is_lab(self) -> bool:
        """Whether this run uses the embedded lab."""
        return bool(self.lab_mode)

    @property
    def lab(self) -> str:
        """The lab as MODE:ENGINE, empty on a live cluster."""
        return f"{self.lab_mode}:{self.lab_engine}" if self.lab_mode else ""

    @property
    def target(self) -> str:
        """What network this run is about."""
        return f"embedded lab {self.lab}" if self.lab_mode else "live cluster"


_UNSAID = "default"
"""--aksnet-lab without a value: as the lab spec file has it, or the first of each."""

SETTINGS_KEY = pytest.StashKey[Settings]()

# (option, metavar, ini type or None where it is no standing choice, help)
_VALUES: tuple[tuple[str, str, str | None, str], ...] = (
    ("kubeconfig", "FILE", "string", "kubeconfig of the cluster (default: as kubectl's)"),
    ("context", "NAME", "string", "context of the kubeconfig (default: its current one)"),
    (
        "config",
        "FILE",
        "string",
        "TOML of what is true for this site: private names, egress addresses, floors, "
        f"destinations (default: {DEFAULT_SITE_FILE} in the root directory, if it is there)",
    ),
    (
        "lab-spec",
        "FILE",
        None,
        "lab spec file (TOML) with the embedded lab's options: mode, engine, egress, pools and "
        "others; --aksnet-lab=MODE:ENGINE overrules it",
    ),
    ("image", "IMAGE", "string", f"netshoot image or mirror (default: {DEFAULT_IMAGE})"),
    ("image-pull-secret", "NAME", "string", "pull secret for it, named in each namespace"),
    (
        "resource-id",
        "ID",
        "string",
        "the managed cluster in Azure Resource Manager (default: found from the nodes); asks Azure "
        "for facts with whatever credentials DefaultAzureCredential finds",
    ),
    ("cloud", "NAME", "string", f"the cloud of Azure: {', '.join(CLOUDS)} (default: {CLOUDS[0]})"),
    ("node-selector", "SELECTOR", "string", "label selector: which nodes take part"),
    ("max-nodes", "N", "string", "at most so many nodes take part"),
    (
        "policy-cells",
        "WHICH",
        "string",
        "cells of policy truth tables that are looked at: all (default), or sample, which are "
        "those that policies close or change and a tenth of the others",
    ),
    (
        "policy-sets",
        "N",
        "string",
        f"sets of nine pods that work off policy truth tables at once (default: "
        f"{DEFAULT_POLICY_SETS})",
    ),
    (
        "policy-cases",
        "WHICH",
        "string",
        "cases of policy truth tables that are run: all (default), default (the 112 that cyclonus "
        "runs by default), netpol (those of Kubernetes' own suite)",
    ),
    (
        "policies",
        "DIR",
        "string",
        "prove the NetworkPolicies of the manifests in this directory: a check for each, on pods "
        "and in namespaces of the run; without paths, those checks alone",
    ),
    ("keep", "WHEN", "string", "keep what a check created: never (default), failed, always"),
    (
        "second-run",
        "HOW",
        "string",
        "if another run uses the cluster: wait until it ends (default), refuse, or share the "
        "cluster with it; bandwidth is measured by one at a time in any case",
    ),
    (
        "lease-namespace",
        "NAME",
        "string",
        "namespace of the Leases by which runs know of each other "
        f"(default: {DEFAULT_LEASE_NAMESPACE})",
    ),
    (
        "controls",
        "FILE",
        "string",
        "TOML of frameworks of controls and the checks that prove them, in addition to those that "
        "the report has, or instead of ones of the same id",
    ),
    ("report-dir", "DIR", "string", f"where the report goes (default: {DEFAULT_REPORT_DIR})"),
    ("baseline", "FILE", "string", "compare outcomes with a saved run; list what got worse"),
    ("save-baseline", "FILE", None, "write the outcomes of this run, to compare with later"),
)
_WITHOUT_TWIN = frozenset(name for name, _, ini_type, _ in _VALUES if ini_type is None)
_LISTS: tuple[tuple[str, str, str | None, str], ...] = (
    (
        "lab-fault",
        "NAME[=VALUE][@NODE]",
        None,
        "start the lab with this fault injected (repeatable)",
    ),
    (
        "tolerate",
        "KEY[=VALUE][:EFFECT]",
        "args",
        "use nodes with this taint too: every pod tolerates it (repeatable)",
    ),
    (
        "profile",
        "KEY=VALUE",
        "linelist",
        "overrule a detected fact of the network profile (repeatable)",
    ),
    (
        "policy-pods",
        "NAMESPACE/POD",
        "args",
        "prove the NetworkPolicies that hold between these running pods, read-only: "
        "NAMESPACE/POD, NAMESPACE/deployment/NAME or NAMESPACE/KEY=VALUE (repeatable)",
    ),
    (
        "allow",
        "CLASS",
        "args",
        "allow a class of actions (repeatable): "
        f"{', '.join(sorted(FORBIDDEN_BY_DEFAULT))} are forbidden unless allowed",
    ),
    (
        "forbid",
        "CLASS",
        "args",
        "forbid a class of actions (repeatable): "
        f"{', '.join(sorted(ALLOWED_BY_DEFAULT))} are allowed unless forbidden",
    ),
)
_FLAGS: tuple[tuple[str, str], ...] = (
    ("print-images", "list the images that would be pulled, then stop"),
    ("plan", "say what would be checked, created and skipped, and why; create nothing"),
    ("lab-arm", "with --aksnet-lab: ask the lab's Azure Resource Manager for facts too"),
    ("cleanup", "remove what earlier, killed runs left (by label and age), then stop"),
)


_SWITCHES: tuple[tuple[str, str], ...] = (
    (
        "redact-subscriptions",
        "put placeholders for the ids of Azure's subscriptions and tenants, and for all other "
        "GUIDs, into what is written and shown",
    ),
)
"""Flags that are a standing choice too: their ini twin is a bool."""


def add_options(parser: pytest.Parser) -> None:
    """Declare every option and its ini twin."""
    group = parser.getgroup("aksnet", "AKS network conformance (pytest-aksnet)")
    group.addoption(
        "--aksnet-lab",
        nargs="?",
        const=_UNSAID,
        default=None,
        metavar="MODE[:ENGINE]",
        help="use the embedded lab; write it as --aksnet-lab=MODE or behind the paths. "
        f"MODE {', '.join(LAB_MODES)} (default: {LAB_MODES[0]}); "
        f"ENGINE {', '.join(LAB_ENGINES)} (default: {LAB_ENGINES[0]})",
    )
    for name, metavar, ini_type, text in _VALUES:
        group.addoption(f"--aksnet-{name}", default=None, metavar=metavar, help=text)
        _add_twin(parser, name, ini_type)
    for name, metavar, ini_type, text in _LISTS:
        group.addoption(
            f"--aksnet-{name}", action="append", default=None, metavar=metavar, help=text
        )
        _add_twin(parser, name, ini_type)
    for name, text in (*_FLAGS, *_SWITCHES):
        group.addoption(f"--aksnet-{name}", action="store_true", default=False, help=text)
    for name, _ in _SWITCHES:
        parser.addini(_key(name), f"as --aksnet-{name}", type="bool", default=False)


def _add_twin(parser: pytest.Parser, name: str, ini_type: str | None) -> None:
    if ini_type == "string":
        parser.addini(_key(name), f"as --aksnet-{name}", type="string", default=None)
    elif ini_type == "linelist":
        parser.addini(_key(name), f"as --aksnet-{name}, one a line", type="linelist", default=[])
    elif ini_type == "args":
        parser.addini(_key(name), f"as --aksnet-{name}, by blanks", type="args", default=[])


def _key(name: str) -> str:
    return "aksnet_" + name.replace("-", "_")


def flag(config: pytest.Config, name: str) -> bool:
    """Whether a flag such as "cleanup" was given."""
    return bool(config.getoption(_key(name)))


def switch(config: pytest.Config, name: str) -> bool:
    """Whether a switch such as "redact-subscriptions" was given, or its ini twin is true."""
    return flag(config, name) or bool(config.getini(_key(name)))


def read_settings(config: pytest.Config) -> Settings:
    """The settings of this run. Raises pytest.UsageError for every unknown value."""
    lab_spec = _path(config, "lab-spec")
    lab_mode, lab_engine = _lab(config.getoption("aksnet_lab"), lab_spec)
    kubeconfig = _path(config, "kubeconfig")
    context = _value(config, "context")
    faults = tuple(config.getoption("aksnet_lab_fault") or ())
    lab_arm = flag(config, "lab-arm")
    if lab_mode:
        _refuse_with_lab(config)
    elif lab_arm:
        raise pytest.UsageError("--aksnet-lab-arm needs the lab: add --aksnet-lab, or leave it out")
    elif faults or lab_spec:
        given = f"fault={faults[0]}" if faults else f"spec={lab_spec}"
        raise pytest.UsageError(
            f"--aksnet-lab-{given} needs the lab: add --aksnet-lab, or leave it out"
        )
    report_dir = _path(config, "report-dir")
    baseline, save_baseline = _path(config, "baseline"), _path(config, "save-baseline")
    if report_dir is None and (lab_mode or kubeconfig or context or baseline or save_baseline):
        report_dir = config.invocation_params.dir / DEFAULT_REPORT_DIR
    return Settings(
        kubeconfig=str(kubeconfig) if kubeconfig else None,
        context=context,
        lab_mode=lab_mode,
        lab_engine=lab_engine,
        lab_faults=faults,
        lab_spec=lab_spec,
        site_file=_site_file(config),
        profile=_profile(_list(config, "profile")),
        image=_image(config),
        image_pull_secret=_pull_secret(config),
        node_selector=_value(config, "node-selector"),
        tolerations=_tolerations(config),
        max_nodes=_positive(config, "max-nodes"),
        allowed=_allowed(config, is_lab=bool(lab_mode)),
        keep=_choice(config, "keep", KEEP, "never"),
        second_run=_choice(config, "second-run", SECOND_RUN, "wait"),
        lease_namespace=_lease_namespace(config),
        report_dir=report_dir,
        baseline=baseline,
        save_baseline=save_baseline,
        plan=flag(config, "plan"),
        resource_id=_value(config, "resource-id"),
        policy_cells=_choice(config, "policy-cells", POLICY_CELLS, POLICY_CELLS[0]),
        policy_sets=_positive(config, "policy-sets") or DEFAULT_POLICY_SETS,
        policy_cases=_choice(config, "policy-cases", POLICY_CASES, POLICY_CASES[0]),
        policies=_path(config, "policies"),
        policy_pods=_policy_pods(config),
        cloud=_choice(config, "cloud", CLOUDS, CLOUDS[0]),
        lab_arm=lab_arm,
        controls=_path(config, "controls"),
        redact_subscriptions=switch(config, "redact-subscriptions"),
    )


def _value(config: pytest.Config, name: str) -> str | None:
    given = config.getoption(_key(name))
    if given is None and name not in _WITHOUT_TWIN:
        given = config.getini(_key(name))
    if given is None:
        return None
    if not given:
        raise pytest.UsageError(f"--aksnet-{name} is empty: give a value, or leave it out")
    return str(given)


def _list(config: pytest.Config, name: str) -> Sequence[str]:
    """The ini twin's values, then those of the command line, which so can overrule them."""
    return [*config.getini(_key(name)), *(config.getoption(_key(name)) or ())]


def _path(config: pytest.Config, name: str) -> Path | None:
    value = _value(config, name)
    if value is None:
        return None
    base = config.invocation_params.dir
    if config.getoption(_key(name)) is None and config.inipath is not None:
        base = config.inipath.parent
    return Path(os.path.normpath(base / Path(value).expanduser()))


def _choice(config: pytest.Config, name: str, choices: Sequence[str], default: str) -> str:
    value = _value(config, name)
    if value is None:
        return default
    if value not in choices:
        raise _unknown(name, value, choices)
    return value


def _unknown(name: str, value: str, choices: Sequence[str]) -> pytest.UsageError:
    return pytest.UsageError(
        f"--aksnet-{name}={value}: unknown value; choose one of {', '.join(choices)}"
    )


def _image(config: pytest.Config) -> str:
    value = _value(config, "image")
    if value is None:
        return DEFAULT_IMAGE
    from pytest_aksnet.spelling import checked_image

    return checked_image(value)


def _pull_secret(config: pytest.Config) -> str | None:
    value = _value(config, "image-pull-secret")
    if value is None:
        return None
    from pytest_aksnet.spelling import checked_secret_name

    return checked_secret_name(value)


def _lease_namespace(config: pytest.Config) -> str:
    value = _value(config, "lease-namespace")
    if value is None:
        return DEFAULT_LEASE_NAMESPACE
    from pytest_aksnet.spelling import checked_namespace

    return checked_namespace(value)


def _tolerations(config: pytest.Config) -> tuple[Mapping[str, str], ...]:
    taints = _list(config, "tolerate")
    if not taints:
        return ()
    from pytest_aksnet.spelling import toleration

    return tuple(map(toleration, taints))


def _policy_pods(config: pytest.Config) -> tuple[str, ...]:
    named = _list(config, "policy-pods")
    if not named:
        return ()
    from pytest_aksnet.spelling import checked_pod_choice

    return tuple(map(checked_pod_choice, dict.fromkeys(named)))


def _positive(config: pytest.Config, name: str) -> int | None:
    value = _value(config, name)
    if value is None:
        return None
    if not value.isdecimal() or int(value) == 0:
        raise pytest.UsageError(f"--aksnet-{name}={value}: give a whole number from 1 on")
    return int(value)


def _lab(value: str | None, spec_file: Path | None) -> tuple[str, str]:
    """Mode and engine: as given, else as in the spec file, else the default."""
    if value is None:
        return "", ""
    mode, separator, engine = value.partition(":")
    spec = _lab_spec(spec_file)
    if mode == _UNSAID:
        mode = spec.get("mode", LAB_MODES[0])
    elif mode not in LAB_MODES:
        hint = (
            f"; to test {mode}, write the paths before --aksnet-lab" if Path(mode).exists() else ""
        )
        raise pytest.UsageError(
            f"--aksnet-lab={value}: unknown network mode {mode!r}; "
            f"choose one of {', '.join(LAB_MODES)}{hint}"
        )
    if separator and engine not in LAB_ENGINES:
        raise pytest.UsageError(
            f"--aksnet-lab={value}: unknown policy engine {engine!r}; "
            f"choose one of {', '.join(LAB_ENGINES)}"
        )
    return mode, engine or spec.get("engine", LAB_ENGINES[0])


def _lab_spec(file: Path | None) -> Mapping[str, str]:
    """Mode and engine of a lab spec file; the rest of it is for the lab to judge."""
    if file is None:
        return {}
    import tomllib

    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise pytest.UsageError(
            f"--aksnet-lab-spec={file}: cannot be read ({error.strerror}); name a lab spec file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise pytest.UsageError(
            f"--aksnet-lab-spec={file}: is not TOML ({error}); see docs/lab.md"
        ) from error
    for key, known in (("mode", LAB_MODES), ("engine", LAB_ENGINES)):
        if content.get(key, known[0]) not in known:
            raise pytest.UsageError(
                f"--aksnet-lab-spec={file}: unknown {key} {content[key]!r}; "
                f"choose one of {', '.join(known)}"
            )
    return {key: str(content[key]) for key in ("mode", "engine") if key in content}


def _refuse_with_lab(config: pytest.Config) -> None:
    for name in ("kubeconfig", "context"):
        if config.getoption(_key(name)) is not None:
            raise pytest.UsageError(
                f"--aksnet-{name} and --aksnet-lab exclude each other: "
                "choose the cluster or the embedded lab"
            )


def _site_file(config: pytest.Config) -> Path | None:
    named = _path(config, "config")
    if named is not None:
        return named
    default = config.rootpath / DEFAULT_SITE_FILE
    return default if default.is_file() else None


def _profile(pairs: Sequence[str]) -> Mapping[str, str]:
    if not pairs:
        return {}
    from pytest_aksnet.model.profile import FACTS

    facts = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not value:
            raise pytest.UsageError(f"--aksnet-profile={pair}: write it as KEY=VALUE")
        if key not in FACTS:
            raise pytest.UsageError(
                f"--aksnet-profile={pair}: unknown fact {key!r}; choose one of {', '.join(FACTS)}"
            )
        facts[key] = value
    return facts


def _allowed(config: pytest.Config, *, is_lab: bool) -> frozenset[str]:
    allow = frozenset(_list(config, "allow"))
    forbid = frozenset(_list(config, "forbid"))
    for name, classes in (("allow", allow), ("forbid", forbid)):
        for value in sorted(classes - ACTION_CLASSES):
            raise _unknown(name, value, sorted(ACTION_CLASSES))
    for value in sorted(allow & forbid):
        raise pytest.UsageError(
            f"--aksnet-allow={value} and --aksnet-forbid={value} contradict each other: drop one"
        )
    base = ACTION_CLASSES if is_lab else ALLOWED_BY_DEFAULT
    return (base | allow) - forbid
