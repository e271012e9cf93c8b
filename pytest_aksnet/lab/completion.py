"""Shell completion of `aksnet-lab`: the scripts of the shells, and what may come next.

The scripts ask `aksnet-lab complete WORD...` with the words before the cursor; names of faults,
nodes and pods are those of the running lab.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_aksnet.lab.options import EGRESSES, ENGINES, MODES, SERVICE_PROXIES

COMMANDS = ("up", "status", "kubeconfig", "exec", "fault", "graph", "completion")
FAULT_VERBS = ("list", "show", "inject", "heal")
_UP_OPTIONS = ("--mode", "--engine", "--spec", "--set", "--fault", "--seed", "--kubeconfig")
_SWITCHES = (
    "dual-stack",
    "local-dns",
    "imds-restricted",
    "custom-dns",
    "static-blocks",
    "authorized-ranges",
)
_SETTINGS = (
    *(f"egress={egress}" for egress in EGRESSES),
    *(f"service-proxy={proxy}" for proxy in SERVICE_PROXIES),
    *(f"{switch}=true" for switch in _SWITCHES),
    "outbound-ports=",
)

SCRIPTS: Mapping[str, str] = {
    "bash": """\
_aksnet_lab() {
    local line=${COMP_LINE:0:COMP_POINT} current candidates broken
    current=${line##*[[:space:]]}
    local -a before
    read -r -a before <<< "${line%"$current"}"
    candidates=$(aksnet-lab complete "${before[@]:1}" 2>/dev/null)
    COMPREPLY=($(compgen -W "$candidates" -- "$current"))
    # Readline breaks words at = : and @, and wants what comes after the last break only.
    broken=${current%"${COMP_WORDS[COMP_CWORD]}"}
    [[ ${COMP_WORDS[COMP_CWORD]} == [=:@] ]] && broken=$current
    COMPREPLY=("${COMPREPLY[@]#"$broken"}")
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _aksnet_lab aksnet-lab
""",
    "zsh": """\
#compdef aksnet-lab
_aksnet_lab() {
    local -a candidates
    candidates=(${(f)"$(aksnet-lab complete ${words[2,CURRENT-1]} 2>/dev/null)"})
    if (( $#candidates )); then compadd -a candidates; else _files; fi
}
compdef _aksnet_lab aksnet-lab
""",
}

Ask = Callable[[str], Mapping[str, Any]]
"""Asks the running lab for `faults` or `topology`."""


def candidates(
    words: Sequence[str], ask: Ask, fault_names: Callable[[], Sequence[str]]
) -> list[str]:
    """What may come after these words; empty where files may.

    `fault_names` gives the faults that a new lab may have.
    """
    match [*words]:
        case []:
            return [*COMMANDS]
        case [*_, "--kubeconfig" | "--spec" | "--seed" | "-o" | "--output" | "--merge"]:
            return []
        case ["up", *_, "--mode"]:
            return [*MODES]
        case ["up", *_, "--engine"]:
            return [*ENGINES]
        case ["up", *_, "--set"]:
            return [*_SETTINGS]
        case ["up", *_, "--fault"]:
            return [*fault_names()]
        case ["up", *_]:
            return [*_UP_OPTIONS]
        case ["exec"]:
            return _places(ask("topology"))
        case ["fault"]:
            return [*FAULT_VERBS]
        case ["fault", verb]:
            return _faults(verb, ask)
        case ["kubeconfig"]:
            return ["--merge", "--kubeconfig"]
        case ["graph"]:
            return ["-o", "--kubeconfig"]
        case ["completion"]:
            return [*SCRIPTS]
    return []


def _places(topology: Mapping[str, Any]) -> list[str]:
    places = ["fabric", "internet"]
    places += [f"host/{host['name']}" for host in topology["hosts"]]
    for node in topology["nodes"]:
        places.append(f"node/{node['name']}")
        places += [f"pod/{pod['namespace']}/{pod['name']}" for pod in node["pods"]]
    return places


def _faults(verb: str, ask: Ask) -> list[str]:
    faults = ask("faults")["faults"]
    if verb == "heal":
        return [label for fault in faults for label in fault["injected"]]
    names = [fault["name"] for fault in faults if verb == "show" or not fault["unfit"]]
    if verb == "inject":
        nodes = [node["name"] for node in ask("topology")["nodes"]]
        names += [
            f"{fault['name']}@{node}"
            for fault in faults
            if fault["takes_node"] and not fault["unfit"]
            for node in nodes
        ]
    return names
