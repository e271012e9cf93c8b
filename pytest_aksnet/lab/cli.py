"""The command line of the lab: `aksnet-lab up | exec | fault | status`."""

import argparse
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_aksnet.lab import serve
from pytest_aksnet.lab.options import (
    ENGINES,
    MODES,
    BadOption,
    parse_setting,
    read_spec_file,
)

_FAILED = 1
_INTERRUPTED = 130
_FAULT = "NAME[=VALUE][@NODE]"
_FAULT_HELP = (
    "VALUE says how often or how much, for the faults that `fault list` shows with one, such as "
    "api-429=0.05 (5 of 100 requests); healing needs none. NODE is for faults of one node"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status. Errors are one line on stderr."""
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        report = serve.report_line(options.ready_fd)
        try:
            choices = _choices(options)
        except BadOption as error:
            report({"error": str(error)})
            return _FAILED
        return serve.serve(
            choices, options.fault, life_fd=options.life_fd, report=report, seed=options.seed
        )
    if options.command == "up":
        return _up(options)
    try:
        return _ask(options)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aksnet-lab", description="An AKS-like network on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start a lab in the foreground; Ctrl-C ends it")
    _add_lab_options(up)
    up.add_argument("--kubeconfig", metavar="PATH", help="write a copy of the kubeconfig here")
    status = commands.add_parser("status", help="what is running")
    execute = commands.add_parser("exec", help="run a command in a namespace of the lab")
    execute.add_argument(
        "place", help="fabric, internet, host/NAME, node/NAME or pod/NAMESPACE/NAME"
    )
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD", help="the command")
    fault = commands.add_parser("fault", help="list, inject or heal faults")
    verbs = fault.add_subparsers(dest="verb", required=True, metavar="VERB")
    asking = [status, execute, verbs.add_parser("list", help="all faults")]
    for verb, what in (("inject", "break it"), ("heal", "make it whole again")):
        one = verbs.add_parser(verb, help=what)
        one.add_argument("name", metavar=_FAULT, help=_FAULT_HELP)
        asking.append(one)
    for one in asking:
        one.add_argument("--kubeconfig", metavar="PATH", help="the lab's kubeconfig")
    serving = commands.add_parser("serve", help="be a lab until --life-fd closes (for programs)")
    _add_lab_options(serving)
    serving.add_argument("--life-fd", type=int, required=True, help="end of file ends the lab")
    serving.add_argument("--ready-fd", type=int, required=True, help="gets one line of JSON")
    return parser


def _add_lab_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", help=f"one of {', '.join(MODES)} (default: {MODES[0]})")
    parser.add_argument("--engine", help=f"one of {', '.join(ENGINES)} (default: calico)")
    parser.add_argument("--spec", metavar="FILE", help="lab spec file (TOML)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one option of the lab spec file, such as egress=nat-gateway (repeatable)",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar=_FAULT,
        help=f"start with this fault (repeatable); {_FAULT_HELP}",
    )
    parser.add_argument(
        "--seed", type=int, help="of the faults that strike at random, as `status` shows it"
    )


def _choices(options: argparse.Namespace) -> dict[str, object]:
    """What the command line chooses: the spec file, overruled by options. Raises BadOption."""
    choices = read_spec_file(Path(options.spec)) if options.spec else {}
    for key in ("mode", "engine"):
        if getattr(options, key) is not None:
            choices[key] = getattr(options, key)
    return {**choices, **dict(map(parse_setting, options.set))}


def _up(options: argparse.Namespace) -> int:
    copy = None if options.kubeconfig is None else Path(options.kubeconfig)

    def report(message: Mapping[str, object]) -> None:
        if "error" in message:
            print(f"aksnet-lab: {message['error']}", file=sys.stderr)
            return
        path = Path(str(message["kubeconfig"]))
        if copy is not None:
            copy.touch(mode=0o600)
            shutil.copyfile(path, copy)
            path = copy.resolve()
        print(f"export KUBECONFIG={shlex.quote(str(path))}")
        print(f"# site file: {message['site']}; Ctrl-C ends the lab", flush=True)

    try:
        return serve.serve(
            _choices(options), options.fault, life_fd=None, report=report, seed=options.seed
        )
    except BadOption as error:
        report({"error": str(error)})
        return _FAILED
    finally:
        if copy is not None:
            copy.unlink(missing_ok=True)


def _ask(options: argparse.Namespace) -> int:
    """The commands that talk to a running lab."""
    import asyncio

    from pytest_aksnet.lab import client

    try:
        address = client.read_address(client.find_kubeconfig(options.kubeconfig))
        if options.command == "exec":
            argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
            if not argv:
                raise client.ClientError("give a command: aksnet-lab exec PLACE -- CMD")
            return asyncio.run(client.run_command(address, options.place, argv))
        if options.command == "status":
            _print_status(asyncio.run(client.call(address, "GET", "status")))
        elif options.verb == "list":
            _print_faults(asyncio.run(client.call(address, "GET", "faults")))
        else:
            method = "POST" if options.verb == "inject" else "DELETE"
            asyncio.run(client.call(address, method, f"faults/{options.name}"))
    except client.ClientError as error:
        print(f"aksnet-lab: {error}", file=sys.stderr)
        return _FAILED
    return 0


def _print_status(answer: Mapping[str, object]) -> None:
    for key, value in answer.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {item}" for name, item in value.items())
        elif isinstance(value, list):
            value = ", ".join(str(item) for item in value) or "none"
        print(f"{key + ':':8} {value}")


def _print_faults(answer: Mapping[str, object]) -> None:
    faults = answer["faults"]
    assert isinstance(faults, list)
    for fault in faults:
        mark = "*" if fault["injected"] else " "
        where = f" (on {', '.join(fault['injected'])})" if fault["injected"] else ""
        print(f"{mark} {fault['name']}{where}\n      {fault['describes']}")
        if fault["value"]:
            print(f"      VALUE: {fault['value']}")


if __name__ == "__main__":
    sys.exit(main())
