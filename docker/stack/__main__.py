"""``python3 -m stack``: what the Makefile calls."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from . import clean, engine, settings, testing, translations
from .demo import DEMO_PHASES, Stack, add_tenant, demo
from .shell import Progress, Shell, StackError


@contextlib.contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file, so that two runs do not disturb each other.

    :raise StackError: another run holds it
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StackError(
                f"Another {what} is running in this clone: wait for its end."
            ) from error
        yield


def _stack(name: str, phases: int = 1) -> Stack:
    values = settings.load()
    log = values.cache / "logs" / f"{values.stack}-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    return Stack(values, Shell(log), Progress(phases))


def run_demo(_arguments: argparse.Namespace) -> int:
    stack = _stack("demo", DEMO_PHASES)
    with only_one(stack.settings.cache / f"{stack.settings.stack}.lock", "make demo"):
        print(demo(stack))
    print(f"\n  {time.monotonic() - stack.progress.started:.0f} s in all.")
    return 0


def run_tenant(arguments: argparse.Namespace) -> int:
    if not arguments.name:
        raise StackError("Which name? Say: make tenant NAME=beta [PLAN=basic]")
    stack = _stack("tenant")
    with stack.progress.phase(f"tenant {arguments.name}"):
        said = add_tenant(
            stack.settings, arguments.name, arguments.plan, stack.progress.note
        )
        stack.progress.note("")
    print(said)
    return 0


def run_down(_arguments: argparse.Namespace) -> int:
    stack = _stack("down")
    if not engine.answers(stack.shell):
        print("The Docker engine does not run, so nothing of the stack does.")
        return 0
    with stack.progress.phase("stop"):
        stack.down()
    print("Stopped; all data are kept. Start again: make demo")
    return 0


def run_clean(_arguments: argparse.Namespace) -> int:
    stack = _stack("clean")
    if not _engine_for_cleaning(stack):
        print("There is no Docker engine, so there is nothing to remove.")
        return 0
    with stack.progress.phase("clean"):
        removed: dict[str, int] = {}
        for name in testing.all_stacks(stack.settings):
            for kind, number in clean.remove_stack(stack.shell, name).items():
                removed[kind] = removed.get(kind, 0) + number
        removed["images"] = clean.remove_images(stack.shell)
        for path in stack.settings.cache.glob("*.stopped.json"):
            path.unlink()
    print(clean.sentence(removed))
    return 0


def _engine_for_cleaning(stack: Stack) -> bool:
    """Whether an engine answers, once it was started where there is one."""
    if engine.answers(stack.shell):
        return True
    if not engine.is_installed():
        return False
    engine.start(stack.shell)
    return True


def run_ps(_arguments: argparse.Namespace) -> int:
    stack = _stack("ps")
    _need_engine(stack)
    label = f"label=saas.stack={stack.settings.stack}"
    table = "table {{.Names}}\t{{.Status}}\t{{.Image}}"
    docker = stack.shell.docker_command
    stack.shell.stream(stack.compose.command("ps"))
    print("\nTenants and tasks:")
    tenants = ("--filter", "label=saas.tenant", "--filter", label)
    return stack.shell.stream([*docker, "ps", "--all", *tenants, "--format", table])


def run_logs(arguments: argparse.Namespace) -> int:
    stack = _stack("logs")
    _need_engine(stack)
    services = [arguments.service] if arguments.service else []
    with contextlib.suppress(KeyboardInterrupt):
        stack.shell.stream(
            stack.compose.command("logs", "--follow", "--tail", "100", *services)
        )
    return 0


def _need_engine(stack: Stack) -> None:
    if not engine.answers(stack.shell):
        raise StackError(
            "The Docker engine does not run: start the stack by make demo."
        )


def run_test(arguments: argparse.Namespace) -> int:
    values = settings.load_test()
    log = values.cache / "logs" / f"{values.stack}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    with only_one(values.cache / f"{values.stack}.lock", "test run"):
        return testing.run(values, Shell(log), arguments.levels, arguments.addon)


def run_translations(_arguments: argparse.Namespace) -> int:
    values = settings.load_test()
    log = values.cache / "logs" / f"{values.stack}-translations.log"
    addons = sorted(
        path.parent for path in values.root.glob("addons/*/__manifest__.py")
    )
    with only_one(values.cache / f"{values.stack}.lock", "test run"):
        translations.update(values, Shell(log), [path.name for path in addons])
    return 0


def run_bench(arguments: argparse.Namespace) -> int:
    values = settings.load_test()
    log = values.cache / "logs" / f"{values.stack}-bench.log"
    with only_one(values.cache / f"{values.stack}.lock", "test run"):
        return testing.bench(values, Shell(log), arguments.only)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, function: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text)
        command.set_defaults(function=function)
        return command

    add("demo", run_demo, "bring everything up, with the tenant alfa in it")
    tenant = add("tenant", run_tenant, "one more tenant")
    tenant.add_argument("--name", default="")
    tenant.add_argument("--plan", default="")
    add("down", run_down, "stop everything, keep all data")
    add("clean", run_clean, "remove everything that is ours")
    add("ps", run_ps, "what runs")
    logs = add("logs", run_logs, "what the stack says")
    logs.add_argument("--service", default="")
    test = add("test", run_test, "run levels of tests")
    test.add_argument("levels", nargs="*", metavar="level")
    test.add_argument("--addon", default="")
    add("translations", run_translations, "write the addons' terms")
    bench = add("bench", run_bench, "measure")
    bench.add_argument("--only", default="")
    return parser.parse_args(argv)


def report(error: StackError, environment_log: Path) -> None:
    """Say what went wrong in one sentence, and show what helps to understand it."""
    print(f"\n{error.message}", file=sys.stderr)
    if error.details:
        for line in error.details.splitlines():
            print(f"    {line}", file=sys.stderr)
        print(f"  More in {environment_log}/", file=sys.stderr)


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    try:
        return int(arguments.function(arguments))
    except StackError as error:
        report(error, settings.ROOT / ".cache" / "logs")
    except KeyboardInterrupt:
        print("\nStopped by you; the same command goes on from here.", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
