"""The command line of the lab: `aksnet-lab up | status | kubeconfig | exec | fault | graph`."""

import argparse
import difflib
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pytest_aksnet.lab import cli_show, completion, serve
from pytest_aksnet.lab.options import (
    ENGINES,
    MODES,
    BadOption,
    parse_setting,
    read_spec_file,
)

_FAILED = 1
_INTERRUPTED = 130
_PIPE_CLOSED = 141
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
        if options.command == "completion":
            print(completion.SCRIPTS[options.shell], end="")
            code = 0
        elif options.command == "complete":
            code = _complete(options.words)
        else:
            code = _ask(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read has enough; what is left in the buffer must not fail again at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return code


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"aksnet-lab: {message}: see `{self.prog} --help`\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="aksnet-lab", description="An AKS-like network on this machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start a lab in the foreground; Ctrl-C ends it")
    _add_lab_options(up)
    up.add_argument("--kubeconfig", metavar="PATH", help="write a copy of the kubeconfig here")
    status = commands.add_parser("status", help="what is running")
    kubeconfig = commands.add_parser("kubeconfig", help="where the lab's kubeconfig is")
    kubeconfig.add_argument(
        "--merge",
        metavar="FILE",
        nargs="?",
        const=str(Path.home() / ".kube" / "config"),
        help="add its cluster, user and context to FILE (default: %(const)s)",
    )
    execute = commands.add_parser("exec", help="run a command in a namespace of the lab")
    execute.add_argument(
        "place", help="fabric, internet, host/NAME, node/NAME or pod/NAMESPACE/NAME"
    )
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD", help="the command")
    fault = commands.add_parser("fault", help="list, show, inject or heal faults")
    verbs = fault.add_subparsers(dest="verb", required=True, metavar="VERB")
    graph = commands.add_parser("graph", help="draw the topology as SVG")
    graph.add_argument("-o", "--output", metavar="FILE", help="write it here (default: print it)")
    shells = commands.add_parser("completion", help="print a shell's completion script")
    shells.add_argument("shell", choices=sorted(completion.SCRIPTS))
    words = commands.add_parser("complete")  # for those scripts
    words.add_argument("words", nargs=argparse.REMAINDER)
    asking = [status, kubeconfig, execute, graph, verbs.add_parser("list", help="all faults")]
    for verb, what in (
        ("show", "what it imitates"),
        ("inject", "break it"),
        ("heal", "make it whole again"),
    ):
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
        print(f"# ARM, Entra ID: set -a; . {shlex.quote(str(message['azure']))}; set +a")
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
        path = client.find_kubeconfig(options.kubeconfig)
        address = client.read_address(path)

        def ask(what: str) -> Mapping[str, Any]:
            return asyncio.run(client.call(address, "GET", what))

        if options.command == "kubeconfig":
            return _kubeconfig(path, options.merge)
        if options.command == "graph":
            return _graph(ask("topology"), options.output)
        if options.command == "exec":
            argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
            if not argv:
                raise client.ClientError("give a command: aksnet-lab exec PLACE -- CMD")
            return asyncio.run(client.run_command(address, options.place, argv))
        if options.command == "status":
            cli_show.print_status(ask("status"), ask("topology"))
        elif options.verb == "list":
            cli_show.print_faults(ask("faults"))
        elif options.verb == "show":
            return _show_fault(ask("faults")["faults"], options.name)
        else:
            method = "POST" if options.verb == "inject" else "DELETE"
            answer = asyncio.run(client.call(address, method, f"faults/{options.name}"))
            if options.verb == "heal":
                cli_show.print_left(options.name, answer)
    except client.ClientError as error:
        print(f"aksnet-lab: {error}", file=sys.stderr)
        return _FAILED
    return 0


def _kubeconfig(path: Path, merge: str | None) -> int:
    if merge is None:
        print(path.resolve())
        return 0
    from pytest_aksnet.lab import files

    try:
        context = files.merge_kubeconfig(path, Path(merge).expanduser())
    except (OSError, ValueError) as error:
        print(f"aksnet-lab: --merge {merge}: {error}", file=sys.stderr)
        return _FAILED
    print(f"kubectl --context={context} get nodes")
    return 0


def _graph(topology: Mapping[str, Any], output: str | None) -> int:
    from pytest_aksnet.lab.graph import draw

    if output is None:
        print(draw(topology), end="")
        return 0
    try:
        Path(output).write_text(draw(topology), encoding="utf-8")
    except OSError as error:
        print(f"aksnet-lab: --output {output}: {error.strerror}", file=sys.stderr)
        return _FAILED
    return 0


def _show_fault(faults: Sequence[Mapping[str, Any]], name: str) -> int:
    for fault in faults:
        if fault["name"] == name:
            cli_show.print_fault(fault)
            return 0
    known = [fault["name"] for fault in faults]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "`aksnet-lab fault list` names them all"
    print(f"aksnet-lab: unknown fault {name!r}: {hint}", file=sys.stderr)
    return _FAILED


def _complete(words: Sequence[str]) -> int:
    """What may come after these words, one a line; nothing where the lab cannot be asked."""
    import asyncio

    from pytest_aksnet.lab import client

    def ask(what: str) -> Mapping[str, Any]:
        address = client.read_address(client.find_kubeconfig(None))
        return asyncio.run(client.call(address, "GET", what))

    def fault_names() -> Sequence[str]:
        from pytest_aksnet.lab.faults.naming import all_faults
        from pytest_aksnet.lab.layout import default_spec

        return [fault.name for fault in all_faults(default_spec(MODES[0], "calico"))]

    try:
        found = completion.candidates(words, ask, fault_names)
    except client.ClientError:
        return _FAILED
    print("\n".join(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
