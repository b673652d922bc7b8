"""All levels of tests in one run, and one honest line about them at the end."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from xml.etree import ElementTree

from . import clean, master, odoo_tests
from .demo import STACK_PHASES, Stack
from .packages import Apt
from .settings import (
    EMPTY_STACK,
    FAULTS_STACK,
    FAULTY_STACK,
    TEST_STACK,
    Settings,
)
from .shell import Progress, Shell, StackError

FLEET = "fleet"
# It takes half of the time that Chromium itself does.
HEADLESS = "chromium-headless-shell"
INTEGRATION_STACK = "saas-itest"
TEST = ("lint", "unit", "odoo", "integration", "onboarding", "e2e")
# What a developer does not wait for each time has commands of its own.
LEVELS = (*TEST, "pictures", "faults")
# They wait half of their time for what they have started: the others use that.
ASIDE = ("e2e", "pictures")
# What waits for an answer in so many seconds is not to wait for other tests.
ALONE = ("faults",)
FORK = multiprocessing.get_context("fork")
ENGINE_PHASES = 2
IMAGE_PHASES = 5
REQUIREMENTS = ("requirements.txt", "tests/requirements.txt")


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of one level: how many tests passed, and the names of the others."""

    level: str
    passed: int = 0
    failed: tuple[str, ...] = ()

    def checked(self, code: int = 0) -> Result:
        """The same, unless it tested nothing or ended badly without saying so."""
        if not self.passed and not self.failed:
            return Result(self.level, 0, ("no test ran",))
        if code and not self.failed:
            return Result(self.level, self.passed, (f"ended with code {code}",))
        return self


def read_junit(level: str, text: str) -> Result:
    """What a JUnit report says; errors and skipped tests count as failed."""
    passed, failed = 0, []
    for case in ElementTree.fromstring(text).iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name', '')}".strip(".")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif case.find("skipped") is not None:
            failed.append(f"{name} (skipped)")
        else:
            passed += 1
    # One whose clean-up failed as well is reported twice.
    return Result(level, passed, tuple(dict.fromkeys(failed)))


def last_line(results: Sequence[Result]) -> str:
    passed = sum(result.passed for result in results)
    failed = sum(len(result.failed) for result in results)
    return f"{passed} passed, {failed} failed"


def all_stacks(settings: Settings) -> list[str]:
    """Every stack that this clone may have made, the demo's own included."""
    return [
        settings.stack,
        TEST_STACK,
        EMPTY_STACK,
        INTEGRATION_STACK,
        FAULTS_STACK,
        FAULTY_STACK,
        odoo_tests.STACK,
        master.CACHE_STACK,
    ]


class Run:
    """One run of some levels."""

    def __init__(self, settings: Settings, shell: Shell, addon: str) -> None:
        self.settings = settings
        self.shell = shell
        self.addon = addon
        self.apt = Apt(shell)
        self.reports = settings.cache / "reports"
        self.venv = settings.root / ".venv"

    def level(self, name: str) -> Result:
        """Run one level; whatever stands in its way is a failure with a name."""
        print(f"\n== {name}", flush=True)
        began = time.monotonic()
        try:
            result: Result = getattr(self, f"run_{name}")()
        except StackError as error:
            print(f"{error.message}\n{error.details}", flush=True)
            result = Result(name, 0, (error.message,))
        seconds = time.monotonic() - began
        print(f"== {name}: {last_line([result])} in {seconds:.0f} s", flush=True)
        for failure in result.failed:
            print(f"   FAILED {failure}", flush=True)
        return result

    def run_lint(self) -> Result:
        """Format, errors, types of the engine packages, and Odoo's own habits."""
        self.have_tools()
        addons = [str(path) for path in self._addons()]
        config = f"--config-file={self.settings.root / 'mypy.ini'}"
        types = self.settings.cache / "types"
        checks = {
            "ruff format": [self._tool("ruff"), "format", "--check", "."],
            "ruff check": [self._tool("ruff"), "check", "."],
            "mypy": [self._tool("mypy"), config, *self._typed_packages()],
            "pylint-odoo": [self._tool("pylint"), *addons],
        }
        passed: list[str] = []
        failed: list[str] = []
        for name, argv in checks.items():
            # In the clone's root its folder docker/ would pass for the library.
            cwd = types if name == "mypy" else self.settings.root
            code = self.shell.stream(argv, cwd=cwd)
            (failed if code else passed).append(name)
        return Result("lint", len(passed), tuple(failed)).checked()

    def _typed_packages(self) -> list[str]:
        """The engine packages by the names that they have inside Odoo."""
        place = self.settings.cache / "types" / "odoo" / "addons"
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_symlink():
            place.symlink_to(self.settings.root / "addons")
        names = [path.name for path in self._addons() if (path / "engine").is_dir()]
        return [word for name in names for word in ("-p", f"odoo.addons.{name}.engine")]

    def run_unit(self) -> Result:
        return self._pytest("unit")

    def run_odoo(self) -> Result:
        """The addons' own tests, by Odoo's own runner in the master's image."""
        self.have_images()
        addons = [self.addon] if self.addon else [path.name for path in self._addons()]
        runner = odoo_tests.Runner(self.settings, self.shell)
        try:
            found = runner.run(addons)
        finally:
            runner.stop()
        return Result("odoo", found.passed, found.failed).checked(found.code)

    def run_integration(self) -> Result:
        return self._on_engine("integration", INTEGRATION_STACK)

    def run_faults(self) -> Result:
        """The fault cases by their numbers, and the report about them."""
        return self._on_engine("faults", FAULTS_STACK)

    def _on_engine(self, level: str, stack: str) -> Result:
        """Tests that make what they need on the engine, a stack too where they do."""
        self.have_images()
        try:
            return self._pytest(level, {"SAAS_STACK": stack})
        finally:
            clean.remove_stack(self.shell, stack)

    def run_onboarding(self) -> Result:
        """An operator's first hour, on a stack of its own that has nothing yet."""
        self.have_images()
        return self._pytest("onboarding")

    def run_e2e(self) -> Result:
        return self._on_stack("e2e")

    def run_pictures(self) -> Result:
        """Every page of ours on a phone and on a desk."""
        return self._on_stack("pictures")

    def _on_stack(self, level: str) -> Result:
        """Tests that have the whole stack to themselves."""
        self.have_images()
        self._stack(STACK_PHASES).up()
        try:
            return self._pytest(level, self.stack_environment())
        finally:
            if not keeps():
                clean.remove_stack(self.shell, TEST_STACK)

    def stack_environment(self) -> dict[str, str]:
        """What tests are told about the stack that they have to themselves."""
        return {
            **self.settings.compose_values(),
            "SAAS_ADMIN_PASSWORD": self.settings.admin_password,
            "SAAS_URL": self.settings.url,
        }

    def _pytest(self, level: str, env: dict[str, str] | None = None) -> Result:
        self.have_tools()
        report = self.reports / f"{level}.xml"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
        argv = [self._tool("python"), "-m", "pytest", f"tests/{level}"]
        argv += ["-q", "-p", "no:odoo", f"--junitxml={report}"]
        if self.shell.docker_as_root and level != "unit":
            argv = ["sudo", "--preserve-env", *argv]
        code = self.shell.stream(argv, cwd=self.settings.root, env=env)
        if not report.exists():
            return Result(level, 0, (f"pytest ended with code {code} and no report",))
        return read_junit(level, report.read_text(encoding="utf-8")).checked(code)

    def _stack(self, phases: int) -> Stack:
        return Stack(self.settings, self.shell, Progress(phases))

    def _tool(self, name: str) -> str:
        return str(self.venv / "bin" / name)

    def _addons(self) -> list[Path]:
        return sorted(
            path.parent for path in self.settings.root.glob("addons/*/__manifest__.py")
        )

    def have_tools(self) -> None:
        """Have the tools of the tests in ``.venv``, as the two lists pin them.

        :raise StackError: they cannot be had
        """
        if sys.version_info < (3, 11):
            raise StackError(
                "The tests need Python 3.11 or newer: install it, and run make test "
                "PYTHON=python3.11."
            )
        with self._alone("tools"):
            self._install_tools()

    def _install_tools(self) -> None:
        stamp = self.venv / "requirements.sha256"
        lists = [self.settings.root / name for name in REQUIREMENTS]
        wanted = hashlib.sha256(
            b"".join(path.read_bytes() for path in lists)
        ).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        create = [sys.executable, "-m", "venv", "--clear", str(self.venv)]
        if self.shell.run(create, check=False).returncode:
            self.apt.install("python3-venv")
            self.shell.run(create, "No Python environment can be made in .venv.")
        pip = [self._tool("python"), "-m", "pip", "install", "--quiet", "--no-compile"]
        for path in lists:
            pip += ["-r", str(path)]
        self.shell.run(
            pip,
            "The packages of the tests cannot be installed: see that pip reaches its "
            "index, then try again.",
        )
        stamp.write_text(wanted)

    def have_images(self) -> None:
        """Have an engine with our images.

        :raise StackError: they cannot be had
        """
        with self._alone("images"):
            self._stack(IMAGE_PHASES).have_images()

    @contextlib.contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """Let the level that runs aside wait rather than make the same once more."""
        self.settings.cache.mkdir(exist_ok=True)
        with (self.settings.cache / f"{what}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def prepare(self, names: Sequence[str]) -> None:
        """Have the programs and the engine that these levels need, and a clean start.

        What takes longer, tools and images, each level has when it needs it: they are
        made side by side.

        :raise StackError: something cannot be had
        """
        if "unit" in names:
            # Backups are compressed by the program, also where there is no toolbox.
            self.apt.ensure("zstd", "zstd")
        if {"onboarding", *ASIDE} & set(names):
            self._have_browser()
        if set(names) - {"lint", "unit"}:
            # Only an engine that runs tells what was left behind.
            self._stack(ENGINE_PHASES).have_engine()
            self.remove_leftovers()

    def _have_browser(self) -> None:
        """Have a Chromium, if none is there the one without windows."""
        if shutil.which(HEADLESS) or shutil.which("chromium"):
            return
        name = HEADLESS if self.apt.known(HEADLESS) else "chromium"
        self.apt.install(name, "fonts-liberation")

    def remove_leftovers(self) -> None:
        """Remove what a run that was killed has left behind."""
        stacks = [INTEGRATION_STACK, FAULTS_STACK, FAULTY_STACK, EMPTY_STACK]
        stacks += [odoo_tests.STACK]
        stacks += [] if keeps() else [TEST_STACK]
        for name in stacks:
            removed = clean.remove_stack(self.shell, name)
            if any(removed.values()):
                print(f"Left behind by a run before, {name}: {clean.sentence(removed)}")


def keeps() -> bool:
    """Whether the stack of the tests stays for the next run, to write tests faster."""
    return bool(os.environ.get("SAAS_TEST_KEEP"))


def run(settings: Settings, shell: Shell, names: Sequence[str], addon: str) -> int:
    """Run the levels (without a name those of ``make test``); the exit code."""
    unknown = [name for name in names if name not in LEVELS]
    if unknown:
        raise StackError(f"There is no level {unknown[0]}: {', '.join(LEVELS)}.")
    tests = Run(settings, shell, addon)
    began = time.monotonic()
    results = _run_levels(tests, names or TEST)
    print(f"\n{time.monotonic() - began:.0f} s in all.")
    for result in results:
        print(f"{result.level:<12} {last_line([result])}")
        for failure in result.failed:
            print(f"   FAILED {failure}")
    print(last_line(results), flush=True)
    return 1 if any(result.failed for result in results) else 0


def _run_levels(tests: Run, names: Sequence[str]) -> list[Result]:
    """The results of these levels, in their order."""
    try:
        print("== prepare", flush=True)
        tests.prepare(names)
    except StackError as error:
        print(f"{error.message}\n{error.details}", flush=True)
        return [Result("prepare", 0, (error.message,))]
    slow = [name for name in names if name in ASIDE]
    alone = [name for name in names if name in ALONE]
    others = [name for name in names if name not in (*ASIDE, *ALONE)]
    if not slow or not others:
        return [tests.level(name) for name in names]
    claims = Claims(others)
    aside = Aside(tests, slow, claims)
    results = [tests.level(name) for name in others if claims.take(name)]
    results += aside.wait(done=results)
    results += [tests.level(name) for name in alone]
    return sorted(results, key=lambda result: names.index(result.level))


class Claims:
    """Levels that each are run by the process that takes them first."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._taken = FORK.Array("b", len(names))

    def take(self, name: str) -> bool:
        """Whether nobody else has taken it."""
        place = self.names.index(name)
        with self._taken.get_lock():
            taken, self._taken[place] = self._taken[place], 1
        return not taken


class Aside:
    """Levels in a process beside the others; what they say comes at their end.

    Once it is done with its own it takes of the others what was not begun, from the
    end, so that no processor waits for the longer half.
    """

    def __init__(self, tests: Run, names: Sequence[str], others: Claims) -> None:
        self._names = names
        self._others = others
        self._log = tests.reports / "aside.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        print(f"\n== beside the others, and told about at the end: {', '.join(names)}")
        sys.stdout.flush()
        self._end, end = FORK.Pipe(duplex=False)
        self._process = FORK.Process(target=self._run, args=(tests, end))
        self._process.start()
        end.close()

    def wait(self, done: Sequence[Result]) -> list[Result]:
        """What came of its levels, once they have ended; the others are done."""
        found: dict[str, Result] = {}
        with contextlib.suppress(EOFError):
            while True:
                result = self._end.recv()
                found[result.level] = result
        self._process.join()
        print(self._log.read_text(encoding="utf-8", errors="replace"), flush=True)
        mine = {*self._names, *self._others.names} - {result.level for result in done}
        lost = ("ended before it could say how",)
        return [found.get(name, Result(name, 0, lost)) for name in mine]

    def _run(self, tests: Run, end: Connection) -> None:
        with self._log.open("wb") as log:
            for stream in (1, 2):  # also of the programs that it starts
                os.dup2(log.fileno(), stream)
        for name in self._names:
            end.send(tests.level(name))
        for name in reversed(self._others.names):
            if self._others.take(name):
                end.send(tests.level(name))


def bench(settings: Settings, shell: Shell, only: str) -> int:
    """Measure on a stack of its own (all, or only what is named); the exit code."""
    tests = Run(settings, shell, "")
    tests.prepare(["bench"])
    tests.have_tools()
    argv = [str(tests.venv / "bin" / "python"), "tests/bench/run.py", only]
    if only in ("", FLEET):
        tests.have_images()
        argv.append(str(_measure_fleet(settings, shell)))
    if only == FLEET:
        return shell.stream(argv, cwd=settings.root)
    Stack(settings, shell, Progress(STACK_PHASES)).up()
    env = {**os.environ, **tests.stack_environment()}
    try:
        return shell.stream(argv, cwd=settings.root, env=env)
    finally:
        if not keeps():
            clean.remove_stack(shell, TEST_STACK)


def _measure_fleet(settings: Settings, shell: Shell) -> Path:
    """Measure the sweeps, which need no stack; the file with the numbers."""
    runner = odoo_tests.Runner(settings, shell)
    try:
        folder = settings.root / "tests" / "bench"
        done = runner.run_program(["saas"], folder, "fleet.py")
    finally:
        runner.stop()
    if done.returncode:
        raise StackError("The fleet cannot be measured.", done.stderr[-3000:])
    path = settings.cache / "bench" / "fleet.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(done.stdout.splitlines()[-1], encoding="utf-8")
    return path
