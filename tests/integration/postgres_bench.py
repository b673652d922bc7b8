"""A PostgreSQL of its own to test on, from the project's image; removed afterwards."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import subprocess
import tempfile
import time

import psycopg2
from database_server_contract import DatabaseServerBench

from odoo.addons.saas.engine.postgres import DatabaseServerConfig, PostgresServer

STACK = os.environ.get("SAAS_STACK", "saas-itest")
NAME = f"{STACK}-postgres"
IMAGE = os.environ.get("SAAS_POSTGRES_IMAGE", "saas-postgres")
MASTER = "saas_provisioner"
START_SECONDS = 60
DONE = "-- done --"


def docker(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"docker {arguments[0]}: {done.stderr}"
    return done.stdout


def remove(name: str) -> None:
    subprocess.run(["docker", "rm", "-f", "-v", name], capture_output=True, check=False)


class Psql:
    """The superuser's client, one for all statements: each start of one takes time."""

    def __init__(self, container: str) -> None:
        self._container = container
        self._process: subprocess.Popen[str] | None = None

    def run(self, statements: str) -> list[str]:
        """The lines that came."""
        if self._process is None:
            self._process = self._start()
        self._process.stdin.write(f"{statements}\n\\echo {DONE}\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line.rstrip("\n") == DONE:
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(self.close())

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *("docker", "exec", "--interactive", self._container),
                *("psql", "--no-psqlrc"),
                *("--quiet", "--tuples-only", "--no-align", "--field-separator=|"),
                *("--set=ON_ERROR_STOP=1", "--username=postgres"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def close(self) -> str:
        """End it, so that the next statement starts another; what it complained of."""
        process, self._process = self._process, None
        return process.communicate()[1] if process else ""


class PostgresBench(DatabaseServerBench):
    """The server, and its superuser beside it.

    :param options: further ones of ``docker create``
    """

    def __init__(self, name: str = NAME, *options: str) -> None:
        self.name = name
        self.password = secrets.token_urlsafe(24)
        self._psql = Psql(name)
        remove(name)
        docker(
            *("create", "--name", name, "--label", f"saas.stack={STACK}"),
            *("--publish", "127.0.0.1::5432", "--memory", "3g"),
            *("--env", "SAAS_DB_SHARED_BUFFERS=64MB", *options),
            IMAGE,
        )
        self._put_keys()
        self.start()
        # Nothing here has to survive the machine, and nothing is so old that it needs
        # maintenance, which would hold a database that is to go.
        for setting in (
            "fsync",
            "full_page_writes",
            "synchronous_commit",
            "autovacuum",
        ):
            self.sql(f"ALTER SYSTEM SET {setting} = off")
        self.sql("SELECT pg_reload_conf()")

    def _put_keys(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            keys = pathlib.Path(folder, "db")
            keys.mkdir(mode=0o755)
            for role in ("saas_master", MASTER):
                (keys / role).write_text(self.password)
            pathlib.Path(folder).chmod(0o755)
            docker("cp", f"{folder}/.", f"{self.name}:/run/saas")

    def start(self) -> None:
        """Start it; its port is another one each time."""
        docker("start", self.name)
        port = docker("port", self.name, "5432/tcp").splitlines()[0].rpartition(":")[2]
        self.config = DatabaseServerConfig(
            host="127.0.0.1",
            port=int(port),
            user=MASTER,
            password=self.password,
            stack=STACK,
        )
        self.server = PostgresServer(self.config)
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(psycopg2.OperationalError), self.login("postgres"):
                return
            assert time.monotonic() < until, docker("logs", self.name)
            time.sleep(0.1)

    def close(self) -> None:
        self._psql.close()
        remove(self.name)

    @contextlib.contextmanager
    def login(self, database: str, user: str = MASTER, password: str | None = None):
        """A plain connection, past the engine."""
        with contextlib.closing(
            psycopg2.connect(
                host=self.config.host,
                port=self.config.port,
                dbname=database,
                user=user,
                password=self.password if password is None else password,
                connect_timeout=5,
            )
        ) as connection:
            yield connection

    def sql(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """Run statements as superuser, through the socket inside the container."""
        # Away at once: a session in a tenant's database would be in its way.
        lines = self._psql.run(
            f"\\connect {database}\n{statement}\n;\n\\connect postgres"
        )
        return [line.split("|") for line in lines if line]

    def crash(self) -> None:
        """Kill one of the server's processes; it ends all sessions, and recovers."""
        [[pid]] = self.sql(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'"
        )
        docker("exec", self.name, "bash", "-c", f"kill -9 {pid}")
        with contextlib.suppress(AssertionError):
            self.sql("SELECT pg_sleep(60)")  # ends with its session
        self._wait()

    @contextlib.contextmanager
    def superuser(self, database: str):
        """A superuser's session in that database, as maintenance has one."""
        psql = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
        session = subprocess.Popen(
            [
                "docker",
                "exec",
                "-i",
                self.name,
                *psql,
                "-U",
                "postgres",
                "-d",
                database,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with session:
            session.stdin.write("SELECT 1;\n")
            session.stdin.flush()
            session.stdout.readline()
            yield
        others = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database}'"
        while self.sql(others):
            time.sleep(0.05)

    def logs(self) -> str:
        """What the server wrote, which all goes to its standard error."""
        done = subprocess.run(
            ["docker", "logs", self.name], capture_output=True, text=True, check=True
        )
        return done.stdout + done.stderr

    def clean(self) -> None:
        """Remove all tenants and templates, foreign ones too."""
        statements = []
        for name in self.databases() - {"postgres", "template0", "template1", "master"}:
            statements += [
                f'ALTER DATABASE "{name}" IS_TEMPLATE false;',
                f'DROP DATABASE "{name}" WITH (FORCE);',
            ]
        for name in self.roles() - {"postgres", "saas_master", MASTER}:
            statements.append(f'DROP ROLE "{name}";')
        self.sql(
            "\n".join(statements)
            + f"ALTER ROLE {MASTER} CREATEDB CREATEROLE CONNECTION LIMIT -1;\n"
            f"ALTER ROLE {MASTER} RESET ALL;\n"
            "REVOKE CONNECT, TEMPORARY ON DATABASE template1 FROM PUBLIC;"
        )

    def unreachable(self):
        return PostgresServer(
            DatabaseServerConfig(
                host="127.0.0.1", port=1, user=MASTER, password="", stack=STACK
            )
        )

    def put_foreign_role(self, uid):
        self.sql(f'CREATE ROLE "{uid}"')

    def put_foreign_database(self, uid):
        self.sql(f'CREATE DATABASE "{uid}"')

    def roles(self):
        rows = self.sql("SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'")
        return {name for (name,) in rows}

    def databases(self):
        return {name for (name,) in self.sql("SELECT datname FROM pg_database")}

    def owner(self, uid):
        return self.sql(
            f"SELECT datdba::regrole FROM pg_database WHERE datname = '{uid}'"
        )[0][0]

    def connection_limit(self, uid):
        return int(
            self.sql(f"SELECT rolconnlimit FROM pg_roles WHERE rolname = '{uid}'")[0][0]
        )

    def may_connect(self, uid: str) -> set[str]:
        """Every role that is no superuser and may connect, by the server's own word."""
        rows = self.sql(
            "SELECT rolname FROM pg_roles WHERE NOT rolsuper"
            f" AND has_database_privilege(oid, '{uid}', 'CONNECT')"
        )
        return {name for (name,) in rows}
