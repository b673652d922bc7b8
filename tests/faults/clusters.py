"""PostgreSQL with little of something, to use that up."""

from __future__ import annotations

import contextlib
import subprocess
import time

from database_server_contract import PASSWORD, TEMPLATE
from postgres_bench import IMAGE, STACK, PostgresBench, docker, remove

DATA = "/var/lib/postgresql/data"
FILL = """
    CREATE TABLE thing AS
    SELECT number, md5(number::text) || md5((number + {seed})::text) AS text
      FROM generate_series(1, {rows}) AS number
"""
SUM = "SELECT count(*), sum(hashtext(text)::bigint) FROM thing"


def build_template(bench: PostgresBench, rows: int) -> None:
    """A sealed template; ten thousand rows are about a megabyte."""
    bench.server.ensure_role(TEMPLATE, PASSWORD, 8)
    bench.server.create_database(TEMPLATE)
    with bench.server.connect(TEMPLATE, PASSWORD) as connection:
        connection.cursor().execute(FILL.format(seed=1, rows=rows))
    bench.server.seal_template(TEMPLATE)


def read_canary(bench: PostgresBench, uid: str) -> list[list[str]]:
    """What changes when a row is lost or altered."""
    return bench.sql(SUM, uid)


def wait_for_copy(bench: PostgresBench, seconds: float = 30) -> None:
    """Wait until a copy of a template is under way."""
    until = time.monotonic() + seconds
    copying = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE query LIKE 'CREATE DATABASE%' AND state = 'active'"
    )
    while not bench.sql(copying):
        assert time.monotonic() < until, "nothing is copied"


class SmallDisk:
    """A disk of its own for a cluster; it outlives the cluster's container."""

    def __init__(self, name: str, megabytes: int) -> None:
        self._name = name
        self._holder = f"{name}-holder"
        self.remove()
        options = f"size={megabytes}m,uid=999,gid=999,mode=0700"
        docker(
            *("volume", "create", "--label", f"saas.stack={STACK}"),
            *("--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", f"o={options}"),
            name,
        )
        # In memory, it would go with the last container that has it.
        docker(
            *("run", "--detach", "--name", self._holder, "--volume", self.mount),
            *("--label", f"saas.stack={STACK}", "--entrypoint", "sleep", "--init"),
            *(IMAGE, "infinity"),
        )

    @property
    def mount(self) -> str:
        return f"{self._name}:{DATA}"

    def fill(self, left: int) -> None:
        """Leave so many megabytes."""
        shown = docker("exec", self._holder, "df", "--output=avail", "-m", DATA)
        free = int(shown.split()[-1])
        docker(
            *("exec", self._holder, "fallocate", "-l", f"{free - left}M"),
            f"{DATA}/ballast",
        )

    def make_room(self) -> None:
        docker("exec", self._holder, "rm", "-f", f"{DATA}/ballast")

    def list_databases(self) -> set[str]:
        """The directories of databases, also of those that nothing knows."""
        return set(docker("exec", self._holder, "ls", f"{DATA}/17/base").split())

    def remove(self) -> None:
        remove(self._holder)
        subprocess.run(
            ["docker", "volume", "rm", "--force", self._name],
            capture_output=True,
            check=False,
        )


@contextlib.contextmanager
def running(name: str, *options: str):
    """A cluster that is removed afterwards."""
    bench = PostgresBench(f"{STACK}-{name}", *options)
    try:
        yield bench
    finally:
        bench.close()
