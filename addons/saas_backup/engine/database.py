"""A tenant's database: a snapshot of it with what belongs to it, its dump and its load.

Everything is done as the tenant's own role: what is the tenant's to see and to own is
all that there is. PostgreSQL's own tools do the work. What ``pg_restore`` makes of
their archive is never read by ``psql``, which would run commands that a name in the
dump smuggles in.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas.engine.postgres import DatabaseServerConfig, translate_errors

from .processes import Pipeline, explain_fault, run_pipeline
from .script import Rows, Script
from .store import BinaryReader

LOCK_SECONDS = 60
"""How long a dump waits for who changes the tables (an upgrade, say)."""

QUIET_SECONDS = 70
"""A session that rests for so long has reported all that it changed: the server makes
it do so after a minute at the latest."""

CORE_TABLES = (
    "account_move",
    "account_move_line",
    "crm_lead",
    "hr_employee",
    "ir_attachment",
    "ir_config_parameter",
    "ir_model",
    "ir_model_data",
    "ir_module_module",
    "ir_ui_view",
    "mail_message",
    "pos_order",
    "product_product",
    "product_template",
    "project_task",
    "purchase_order",
    "res_company",
    "res_partner",
    "res_users",
    "sale_order",
    "sale_order_line",
    "stock_move",
    "stock_picking",
)
"""Counted in the copy and again in what is restored, where they are."""

# What a module's own settings for the session could change is said here.
_OPTIONS = "-c search_path=pg_catalog -c statement_timeout=0"


@dataclasses.dataclass(frozen=True, slots=True)
class Database:
    """Where a tenant's database is, and its own login."""

    host: str
    port: int
    name: str
    user: str
    password: str = dataclasses.field(repr=False)
    sslmode: str = "prefer"

    @property
    def conninfo(self) -> str:
        """How the tools find it; the password is in a file of theirs."""
        words = {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            "user": self.user,
            "sslmode": self.sslmode,
            "application_name": "saas-backup",
            "connect_timeout": 10,
            "options": _OPTIONS,
        }
        return " ".join(f"{name}='{_quoted(value)}'" for name, value in words.items())

    @property
    def config(self) -> DatabaseServerConfig:
        """As the errors of the database server are told."""
        return DatabaseServerConfig(self.host, self.port, self.user, self.password)


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What was seen in one snapshot.

    :param files: names in the filestore, which are the hashes of their contents
    :param int elsewhere: attachments that lie outside the filestore
    """

    rows: Mapping[str, int]
    modules: Mapping[str, str]
    files: frozenset[str]
    elsewhere: int
    server_version: int
    database_size: int
    odoo_version: str


class Snapshot:
    """A database as it was at one moment, while it is used further on."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._connection = connection
        self._executor = ThreadPoolExecutor(1)
        with connection.cursor() as cursor:
            # First the lock, then the snapshot. It lets everybody write, and keeps
            # Odoo from removing files of attachments that were deleted meanwhile.
            cursor.execute("SET LOCAL lock_timeout = %s", (f"{LOCK_SECONDS}s",))
            cursor.execute("LOCK TABLE public.ir_attachment IN ROW EXCLUSIVE MODE")
            cursor.execute("SELECT pg_export_snapshot(), clock_timestamp()")
            self.id, self.date = _fetch(cursor)
        # Beside the dump, on the second core.
        self._facts: Future[Facts] = self._executor.submit(self._find_facts)

    def facts(self) -> Facts:
        return self._facts.result()

    def _find_facts(self) -> Facts:
        with translate_errors(self._database.config), self._connection.cursor() as cr:
            return _find_facts(cr)

    def dump(self) -> Iterator[bytes]:
        """The compressed archive; an error where a tool failed, and never a part."""
        with passfile(self._database) as environment:
            yield from run_pipeline(
                Pipeline(
                    (
                        *("pg_dump", "--format=custom", "--compress=0"),
                        *("--no-password", f"--snapshot={self.id}"),
                        f"--lock-wait-timeout={LOCK_SECONDS}s",
                        f"--dbname={self._database.conninfo}",
                    ),
                    ("zstd", "--quiet", "-3", "--stdout"),
                    environment=environment,
                )
            )

    def close(self) -> None:
        if not self._facts.done():
            # What went wrong is known: nobody waits for the counts any more.
            with contextlib.suppress(psycopg2.Error):
                self._connection.cancel()
        self._executor.shutdown(wait=True)


class Session:
    """A connection to a database that is copied."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._connection = connection

    def fingerprint(self) -> str:
        """What stays the same as long as no row of the database changes.

        Empty when that cannot be told: somebody is at work in it, or was within the
        last minute, and has perhaps not yet reported what was changed.
        """
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(_IS_QUIET, {"seconds": QUIET_SECONDS})
            if _fetch(cursor) != (True,):
                return ""
            digest = hashlib.sha256()
            for query in (_IDENTITY, _COUNTERS):
                cursor.execute(query)
                for row in cursor:
                    digest.update(repr(row).encode())
            return digest.hexdigest()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """A snapshot; the files of its attachments are not removed while it is open.

        :raise RefusedError: ``not_odoo``
        """
        with self._connection, self._connection.cursor() as cursor:
            _require_odoo(cursor, self._database)
        self._connection.set_session(isolation_level="REPEATABLE READ")
        snapshot = Snapshot(self._database, self._connection)
        try:
            yield snapshot
        finally:
            snapshot.close()


@contextlib.contextmanager
def open_session(database: Database) -> Iterator[Session]:
    """:raise EngineError: those of the database server"""
    with _connect(database) as connection:
        yield Session(database, connection)


@contextlib.contextmanager
def open_snapshot(database: Database) -> Iterator[Snapshot]:
    """A snapshot by a connection of its own.

    :raise RefusedError: ``not_odoo`` and those of the database server
    """
    with open_session(database) as session, session.snapshot() as snapshot:
        yield snapshot


def find_rows(database: Database) -> dict[str, int]:
    """How many rows the core tables have."""
    with _connect(database) as connection, connection.cursor() as cursor:
        return _count_rows(cursor)


def find_files(database: Database) -> frozenset[str]:
    """The names in the filestore that the database knows."""
    with _connect(database) as connection, connection.cursor() as cursor:
        return _find_files(cursor)[0]


def load(database: Database, archive: BinaryReader) -> None:
    """Load a compressed archive into a fresh database, all of it or nothing.

    :raise RefusedError: ``not_empty``, ``sql``, ``extension``, ``version``, or what
        reading the archive says; the database is as it was before
    """
    with _connect(database) as connection:
        _clear(database, connection)
        with connection, connection.cursor() as cursor:
            _load(cursor, archive)
        with connection, connection.cursor() as cursor:
            # Otherwise the first visitors wait for plans made without statistics. In
            # one transaction, as the disk is waited for at the end of each.
            cursor.execute("ANALYZE")


def _load(cursor: Cursor, archive: BinaryReader) -> None:
    """Run all of an archive's script, in the transaction at hand."""
    pipeline = Pipeline(
        ("zstd", "--quiet", "--decompress", "--stdout"),
        ("pg_restore", "--no-owner", "--no-privileges", "--file=-"),
    )
    with contextlib.closing(run_pipeline(pipeline, archive)) as parts:  # type: ignore[type-var]
        for part in Script(parts):
            try:
                if isinstance(part, Rows):
                    cursor.copy_expert(part.statement, part)  # type: ignore[arg-type]
                else:
                    cursor.execute(part)
            except psycopg2.Error as error:
                if isinstance(part, Rows) and part.fault:
                    raise part.fault from error
                raise explain_fault("pg_restore", 1, str(error)) from error


@contextlib.contextmanager
def passfile(database: Database) -> Iterator[dict[str, str]]:
    """The environment in which the tools find the password, which is in a file."""
    fields = (database.host, database.port, database.name, database.user)
    line = ":".join(_escaped(str(field)) for field in (*fields, database.password))
    with tempfile.NamedTemporaryFile("w", prefix="saas-pass-") as file:
        file.write(f"{line}\n")
        file.flush()
        yield {"PGPASSFILE": file.name}


# === QUERIES === #

_TABLES = """
    SELECT c.relname FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
       AND c.relname = ANY(%s) ORDER BY 1
"""

# Of all sessions but this one; those of other roles do not show what they do.
_IS_QUIET = """
    SELECT count(*) = 0 AND current_setting('track_counts')::bool
      FROM pg_stat_activity
     WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND pid <> pg_backend_pid() AND backend_type = 'client backend'
       AND (state IS DISTINCT FROM 'idle'
            OR state_change > clock_timestamp() - %(seconds)s * interval '1 second')
"""

# The counters start anew when the server crashes or its statistics are reset.
_IDENTITY = """
    SELECT d.oid::bigint, pg_postmaster_start_time()::text, w.stats_reset::text,
           s.stats_reset::text, current_setting('server_version_num')
      FROM pg_database d
      JOIN pg_stat_database s ON s.datid = d.oid, pg_stat_wal w
     WHERE d.datname = current_database()
"""

# The catalogs are among them, so that a change of structure counts too; what analysing
# writes is left out, as it happens by itself after everybody went to sleep. So are the
# tables that all databases share.
_COUNTERS = """
    SELECT relid::bigint, n_tup_ins, n_tup_upd, n_tup_del
      FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid
     WHERE NOT c.relisshared AND relid NOT IN (
           SELECT t FROM unnest(ARRAY['pg_statistic'::regclass,
                                      'pg_statistic_ext_data'::regclass]) AS s(t)
            UNION ALL
           SELECT reltoastrelid FROM pg_class WHERE reltoastrelid <> 0 AND oid IN
                  ('pg_statistic'::regclass, 'pg_statistic_ext_data'::regclass))
       AND n_tup_ins + n_tup_upd + n_tup_del > 0
     ORDER BY 1
"""

_MODULES = """
    SELECT name, coalesce(latest_version, '') FROM public.ir_module_module
     WHERE state IN ('installed', 'to upgrade', 'to remove')
"""

_FILES = """
    SELECT DISTINCT store_fname FROM public.ir_attachment
     WHERE store_fname IS NOT NULL
"""

_USER_TABLES = """
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'f', 'm')
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""

_STORED = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{38})")


def _find_facts(cursor: Cursor) -> Facts:
    files, elsewhere = _find_files(cursor)
    cursor.execute(_MODULES)
    modules = dict(cursor.fetchall())
    cursor.execute("SELECT pg_database_size(current_database())")
    (size,) = _fetch(cursor)
    base = modules.get("base", "")
    return Facts(
        rows=_count_rows(cursor),
        modules=modules,
        files=files,
        elsewhere=elsewhere,
        server_version=cursor.connection.server_version,
        database_size=size,
        odoo_version=".".join(base.split(".")[:2]),
    )


def _find_files(cursor: Cursor) -> tuple[frozenset[str], int]:
    cursor.execute(_FILES)
    names = [name for (name,) in cursor]
    found = [match for name in names if (match := _STORED.fullmatch(name))]
    return frozenset(match[2] for match in found), len(names) - len(found)


def _count_rows(cursor: Cursor) -> dict[str, int]:
    cursor.execute(_TABLES, (list(CORE_TABLES),))
    rows = {}
    for table in [name for (name,) in cursor.fetchall()]:
        statement = sql.SQL("SELECT count(*) FROM {}")
        cursor.execute(statement.format(sql.Identifier("public", table)))
        (rows[table],) = _fetch(cursor)
    return rows


def _require_odoo(cursor: Cursor, database: Database) -> None:
    cursor.execute(_TABLES, (["ir_attachment", "ir_module_module", "res_users"],))
    if len(cursor.fetchall()) < 3:
        raise RefusedError(
            f"The database {database.name} is not one of Odoo.", reason="not_odoo"
        )


def _clear(database: Database, connection: Connection) -> None:
    """Remove what a fresh database comes with: the archive brings its own.

    :raise RefusedError: ``not_empty``
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(_USER_TABLES)
        if _fetch(cursor) != (0,):
            raise RefusedError(
                f"The database {database.name} is not empty; a copy is restored to a "
                "fresh database only.",
                reason="not_empty",
            )
        cursor.execute("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'")
        for (name,) in cursor.fetchall():
            cursor.execute(
                sql.SQL("DROP EXTENSION {} CASCADE").format(sql.Identifier(name))
            )
        cursor.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'"
            " AND nspname NOT IN ('information_schema', 'public')"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(
                sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name))
            )


# === HELPERS === #


@contextlib.contextmanager
def _connect(database: Database) -> Iterator[Connection]:
    with (
        translate_errors(database.config),
        contextlib.closing(
            psycopg2.connect(
                host=database.host,
                port=database.port,
                dbname=database.name,
                user=database.user,
                password=database.password,
                sslmode=database.sslmode,
                connect_timeout=10,
                application_name="saas-backup",
                options=f"{_OPTIONS} -c idle_in_transaction_session_timeout=0",
            )
        ) as connection,
    ):
        yield connection


def _fetch(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None
    return row


def _quoted(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace("'", "\\'")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")
