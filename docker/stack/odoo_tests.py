"""The addons' own tests, by Odoo's own runner against a database of their own.

A database with everything that our addons depend on is kept from run to run, so that
only our addons are installed anew.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from . import downloads
from .master import CACHE_STACK
from .settings import Settings
from .shell import Shell, StackError

STACK = "saas-otest"
DATABASE_CONTAINER = f"{STACK}-db"
ODOO_CONTAINER = f"{STACK}-odoo"
NETWORK = f"{STACK}_odoo"
DATABASE_VOLUME = "saas-cache-odoo-db"
FILES_VOLUME = "saas-cache-odoo-files"
SCRATCH = "scratch"
SECONDS_TO_START = 60

# Speed before durability: what is in there can be made again at any time.
POSTGRES = """\
set -e
chown postgres /data
cat >/tmp/start <<'START'
set -e
if [ ! -s /data/pg/PG_VERSION ]; then
    /usr/lib/postgresql/17/bin/initdb --pgdata=/data/pg --username=odoo --auth=trust \
        --encoding=UTF8 --locale=C.UTF-8
    echo "host all all all trust" >>/data/pg/pg_hba.conf
fi
exec /usr/lib/postgresql/17/bin/postgres -D /data/pg -c listen_addresses=* \
    -c unix_socket_directories=/data -c fsync=off -c full_page_writes=off \
    -c synchronous_commit=off -c shared_buffers=256MB -c jit=off
START
exec setpriv --reuid=postgres --regid=postgres --clear-groups sh /tmp/start
"""
ODOO = """\
set -e
files=/var/lib/odoo/filestore
mkdir -p "$files"
rm -rf "$files/$1"
if [ -n "$2" ] && [ -d "$files/$2" ]; then cp -a "$files/$2" "$files/$1"; fi
shift 2
exec odoo "$@"
"""
EXPORT = """\
set -e
export HOME=/tmp
{ grep -vE '^(db_|data_dir)' /etc/odoo/odoo.conf; printf '%s\\n' "$1"; } >/tmp/odoo.conf
odoo i18n export $(echo "$3" | tr , ' ') --config /tmp/odoo.conf \\
    --database scratch --languages pot
exec python3 -c "$2" "$3" "$4"
"""
TOTAL = re.compile(r"(\d+) failed, (\d+) error\(s\) of (\d+) tests")
FAILED = re.compile(r"(?:FAIL|ERROR): (\w+\.\w+(?: \([^)]*\))?)")
SKIPPED = re.compile(r"skipped (\S+) :")


@dataclasses.dataclass(frozen=True)
class Found:
    """What Odoo's log says about its tests."""

    passed: int
    failed: tuple[str, ...]
    code: int


def read_log(log: str, code: int) -> Found:
    """Count the tests of a log; skipped ones and those without a name count too."""
    totals = TOTAL.findall(log)
    if not totals:
        return Found(0, (f"Odoo ended with code {code} before its tests did",), code)
    failures, errors, tests = (int(number) for number in totals[-1])
    names = list(dict.fromkeys(FAILED.findall(log)))
    skipped = [f"{name} (skipped)" for name in SKIPPED.findall(log)]
    # An error outside of a test (a class's set-up) is counted but has no test.
    unnamed = max(0, failures + errors - len(names))
    names += [f"a test without a name ({number + 1})" for number in range(unnamed)]
    passed = max(0, tests - len(names) - len(skipped))
    return Found(passed, (*names, *skipped), code)


def dependencies(manifests: dict[str, str]) -> list[str]:
    """What addons depend on beyond one another, from their manifests' texts."""
    wanted = set()
    for text in manifests.values():
        wanted.update(ast.literal_eval(text).get("depends", []))
    return sorted(wanted - set(manifests)) or ["base"]


class Runner:
    """A PostgreSQL of its own and Odoo beside it, both gone when the run is over."""

    def __init__(self, settings: Settings, shell: Shell) -> None:
        self._settings = settings
        self._shell = shell

    def run(self, addons: Sequence[str]) -> Found:
        """Install those addons and run their tests.

        :raise StackError: PostgreSQL or Odoo cannot be started
        """
        base = self._make_scratch()
        tags = ",".join(f"/{addon}" for addon in addons)
        argv = ["--init", ",".join(addons), "--test-tags", tags]
        print(f"Odoo tests of {', '.join(addons)}", flush=True)
        log, code = self._odoo(SCRATCH, base, *argv)
        found = read_log(log, code)
        if found.failed:
            print(failures_of(log), flush=True)
        return found

    def export_terms(self, addons: Sequence[str], script: str, *argv: str) -> None:
        """Install those addons, write their ``.pot`` files and run a Python script.

        :raise StackError: one of these does not work
        """
        self._install(addons)
        login = ["db_host=db", "db_user=odoo", "db_password=odoo", "data_dir=/tmp/odoo"]
        self._shell.docker(
            *("run", "--rm", "--label", f"saas.stack={STACK}"),
            *("--network", NETWORK, "--user", f"{os.getuid()}:{os.getgid()}"),
            *("--volume", f"{self._settings.root}/addons:/opt/saas/addons"),
            *("--no-healthcheck", "--entrypoint", "sh", "saas-master:latest", "-c"),
            *(EXPORT, "export", "\n".join(login), script, ",".join(addons), *argv),
            failure="The terms of the addons cannot be exported.",
        )

    def run_program(
        self, addons: Sequence[str], folder: Path, program: str, *argv: str
    ) -> subprocess.CompletedProcess[str]:
        """Install those addons and run a Python program with them, to its end.

        :param folder: where it lies, which it can read
        :param argv: its own; what Odoo needs to know follows them
        :raise StackError: the addons cannot be installed
        """
        self._install(addons)
        self._shell.docker("rm", "--force", ODOO_CONTAINER, check=False)
        odoo = ["--config", "/etc/odoo/odoo.conf", "--database", SCRATCH]
        odoo += ["--db_host", "/database", "--db_user", "odoo"]
        return self._shell.run(
            [
                *(*self._shell.docker_command, "run", "--name", ODOO_CONTAINER),
                *("--label", f"saas.stack={STACK}", "--network", NETWORK),
                *("--volume", f"{FILES_VOLUME}:/var/lib/odoo"),
                *("--volume", f"{DATABASE_VOLUME}:/database:ro"),
                *("--volume", f"{self._settings.root}/addons:/opt/saas/addons:ro"),
                *("--volume", f"{folder}:/opt/saas/program:ro", "--no-healthcheck"),
                *("--entrypoint", "python3", "saas-master:latest"),
                *(f"/opt/saas/program/{program}", *argv, "--", *odoo),
            ],
            check=False,
        )

    def stop(self) -> None:
        self._shell.docker("rm", "--force", ODOO_CONTAINER, check=False)
        self._shell.docker("stop", "--time", "10", DATABASE_CONTAINER, check=False)
        self._shell.docker("rm", "--force", DATABASE_CONTAINER, check=False)
        self._shell.docker("network", "rm", NETWORK, check=False)

    def _install(self, addons: Sequence[str]) -> None:
        base = self._make_scratch()
        log, code = self._odoo(SCRATCH, base, "--init", ",".join(addons))
        if code:
            raise StackError("Odoo cannot install the addons.", log[-3000:])

    def _make_scratch(self) -> str:
        """Make a database with all but our addons; the one that it is a copy of."""
        self._start_postgres()
        base = self._ensure_dependencies()
        self._sql(f"DROP DATABASE IF EXISTS {SCRATCH}")
        self._sql(f"CREATE DATABASE {SCRATCH} TEMPLATE {base}")
        return base

    def _start_postgres(self) -> None:
        self.stop()
        ours = f"saas.stack={STACK}"
        self._shell.docker("network", "create", "--label", ours, NETWORK)
        for volume in (DATABASE_VOLUME, FILES_VOLUME):
            self._shell.docker(
                "volume", "create", "--label", f"saas.stack={CACHE_STACK}", volume
            )
        self._shell.docker(
            *("run", "--detach", "--name", DATABASE_CONTAINER, "--label", ours),
            *("--network", NETWORK, "--network-alias", "db", "--user", "root"),
            *("--volume", f"{DATABASE_VOLUME}:/data", "--shm-size", "256m"),
            *("--no-healthcheck", "--entrypoint", "sh"),
            *("saas-postgres:latest", "-c", POSTGRES),
            failure="PostgreSQL for the Odoo tests cannot be started.",
        )
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._ready():
            if time.monotonic() > deadline:
                said = self._shell.run(
                    [*self._shell.docker_command, "logs", DATABASE_CONTAINER],
                    check=False,
                )
                raise StackError(
                    "PostgreSQL for the Odoo tests does not answer.", said.stderr
                )
            time.sleep(0.3)

    def _ready(self) -> bool:
        return bool(self._sql("SELECT 1", check=False))

    def _sql(self, statement: str, *, check: bool = True) -> str:
        psql = ["psql", "-qAtX", "-h", "127.0.0.1", "-U", "odoo", "-d", "postgres"]
        return self._shell.docker(
            *("exec", DATABASE_CONTAINER, *psql, "-c", statement),
            failure=f"PostgreSQL refuses: {statement}.",
            check=check,
        )

    def _ensure_dependencies(self) -> str:
        """The database that has all that our addons depend on, and nothing of ours."""
        paths = sorted(self._settings.root.glob("addons/*/__manifest__.py"))
        modules = dependencies({path.parent.name: path.read_text() for path in paths})
        name = self._dependencies_name(modules)
        known = self._sql("SELECT datname FROM pg_database").split()
        if name in known:
            return name
        print(f"Installing {', '.join(modules)} once", flush=True)
        for other in known:
            if other.startswith("deps_"):
                self._sql(f"DROP DATABASE {other}")
        # Under another name until it is whole: a killed run leaves no half one.
        self._sql("DROP DATABASE IF EXISTS building")
        self._sql("CREATE DATABASE building")
        log, code = self._odoo("building", "", "--init", ",".join(modules))
        if code:
            raise StackError("Odoo cannot install what our addons need.", log[-3000:])
        self._rename_files("building", name)
        self._sql(f"ALTER DATABASE building RENAME TO {name}")
        return name

    def _dependencies_name(self, modules: Sequence[str]) -> str:
        """Another name for another Odoo, other OCA addons or other modules."""
        oca = (self._settings.root / "docker/master/oca.txt").read_text()
        odoo = self._settings["ODOO_BASE_IMAGE"] or downloads.ODOO_SHA256
        text = "\n".join([odoo, oca, *modules])
        return f"deps_{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def _rename_files(self, source: str, target: str) -> None:
        move = f"cd /f/filestore && rm -rf {target} && mv {source} {target}"
        self._shell.docker(
            *("run", "--rm", "--label", f"saas.stack={STACK}", "--user", "root"),
            *("--volume", f"{FILES_VOLUME}:/f", "--entrypoint", "sh"),
            *("saas-master:latest", "-c", move),
        )

    def _odoo(self, database: str, base: str, *argv: str) -> tuple[str, int]:
        """Run Odoo to its end on a database; its log and exit code."""
        self._shell.docker("rm", "--force", ODOO_CONTAINER, check=False)
        done = self._shell.run(
            [
                *(*self._shell.docker_command, "run", "--name", ODOO_CONTAINER),
                *("--label", f"saas.stack={STACK}", "--network", NETWORK),
                *("--volume", f"{FILES_VOLUME}:/var/lib/odoo"),
                # Where the socket is: it takes less time than the network.
                *("--volume", f"{DATABASE_VOLUME}:/database:ro"),
                *("--volume", f"{self._settings.root}/addons:/opt/saas/addons:ro"),
                *("--no-healthcheck", "--shm-size", "256m", "--entrypoint", "sh"),
                *("saas-master:latest", "-c", ODOO, "odoo-tests", database, base),
                *(
                    "--config",
                    "/etc/odoo/odoo.conf",
                    "--database",
                    database,
                    "--db_host",
                    "/database",
                    "--db_user",
                    "odoo",
                ),
                *("--db_password", "odoo", "--stop-after-init", "--without-demo=all"),
                *("--max-cron-threads", "0", *argv),
            ],
            check=False,
        )
        return done.stdout + done.stderr, done.returncode


def failures_of(log: str) -> str:
    """The lines of a log that say what failed, tracebacks included."""
    kept = []
    keeps = False
    for line in log.splitlines():
        starts = re.match(r"\d{4}-\d\d-\d\d [\d:,]+ \d+ (\w+) ", line)
        if starts:
            keeps = starts.group(1) in ("ERROR", "CRITICAL", "WARNING")
        if keeps:
            kept.append(line)
    return "\n".join(kept[-200:] or log.splitlines()[-30:])
