"""What holds tenants' databases: the contract, and PostgreSQL 17.

The master's role there may create databases and roles and is no superuser. A tenant's
role and database carry its uid as their name. What is ours is told by a comment on the
role, made in the transaction that makes the role; all else of that name is foreign and
is neither adopted nor dropped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import psycopg2
from psycopg2 import errorcodes, sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import encrypt_password

from .errors import EngineError, RefusedError, RetryableError

_logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5
"""Seconds until a server that does not answer counts as unreachable."""

STATEMENT_TIMEOUT = 30
"""Seconds for one statement; those that copy or drop a database get COPY_TIMEOUT."""

COPY_TIMEOUT = 600
LOCK_TIMEOUT = 10

FILE_COPY_FROM = 512 * 1024 * 1024
"""Bytes from which copying files beats copying through the log.

Below it the two checkpoints that a file copy forces cost more than they save.
"""

OLDEST_VERSION = 170000

IDLE_IN_TRANSACTION = "15min"
"""Laid on each tenant's role: a forgotten transaction must not stop vacuuming."""

# What Odoo's searches want. The extension's own function cannot be used in an index: it
# is not immutable, and belongs to a superuser who alone could declare it so. Odoo finds
# the one in the schema public.
SEARCH_STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public",
    "CREATE SCHEMA IF NOT EXISTS extension",
    "CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA extension",
    """CREATE OR REPLACE FUNCTION public.unaccent(text) RETURNS text LANGUAGE sql
       IMMUTABLE STRICT PARALLEL SAFE
       RETURN extension.unaccent('extension.unaccent'::regdictionary, $1)""",
)


@dataclasses.dataclass(frozen=True, slots=True)
class DatabaseServerConfig:
    """How the master reaches a database server, and how tenants do.

    :param str user: the master's role there
    :param str tenant_host: the address for tenants, ``host`` when empty
    :param int tenant_port: the port for tenants, ``port`` when 0
    :param str stack: which master the roles belong to; part of the marker
    :param str maintenance: the database that the master's role logs in to
    """

    host: str
    port: int
    user: str
    password: str = dataclasses.field(repr=False)
    sslmode: str = "prefer"
    tenant_host: str = ""
    tenant_port: int = 0
    stack: str = "saas"
    maintenance: str = "postgres"

    def __post_init__(self) -> None:
        object.__setattr__(self, "tenant_host", self.tenant_host or self.host)
        object.__setattr__(self, "tenant_port", self.tenant_port or self.port)

    @property
    def marker(self) -> str:
        return f"saas:{self.stack}"

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


class DatabaseServer(ABC):
    """A database server that holds tenants' databases.

    Calls are bounded by time-outs and repeatable: killed at any point and called
    again, they end in the same state. ``RetryableError`` says "not now",
    ``RefusedError`` says "not like this"; its reason is ``foreign`` where the name
    belongs to somebody else.
    """

    @abstractmethod
    def check(self) -> str:
        """Look whether the server can be used.

        :return: one line about it (version, connections) for people
        :raise RetryableError: it does not answer
        :raise RefusedError: ``credentials``, ``privilege``, ``version``, ``superuser``
            or ``open`` (everybody may connect to the databases that it names)
        """

    @abstractmethod
    def prepare(self) -> None:
        """Close what is open to every role by default.

        :raise RefusedError: ``privilege``, where only a superuser can; the message
            holds the statements
        """

    @abstractmethod
    def ensure_role(
        self, uid: str, password: str, connection_limit: int, *, login: bool = True
    ) -> None:
        """Make the role of that uid, or set its password and limit again.

        The role of a sealed template is left as it is: nobody logs in with it.

        :param bool login: whether it may log in
        """

    @abstractmethod
    def create_database(self, uid: str) -> None:
        """Make an empty database that belongs to the role, to build a template in."""

    @abstractmethod
    def seal_template(self, uid: str) -> None:
        """Turn a built database into a template: no logins, no connections."""

    @abstractmethod
    def clone(self, template_uid: str, uid: str) -> None:
        """Make the database of that uid as a copy of a sealed template.

        The copy and all in it belong to the role of ``uid``, which must exist.

        :raise RefusedError: ``foreign``, ``role_missing``, ``template_missing``,
            ``not_sealed`` or ``exposed`` (the final look found it not private)
        """

    @abstractmethod
    def exchange(self, uid: str, other: str, *, exchanged: bool) -> None:
        """Have two databases hold what the other one held, or what they held first.

        Their names and roles stay: all in each belongs to the role of its name
        afterwards. Sessions of both are ended. Asked for twice, it is done once.

        :raise RefusedError: ``role_missing`` or ``database_missing``
        """

    @abstractmethod
    def drop_database(self, uid: str) -> None:
        """Remove the database and its sessions; absent is success."""

    @abstractmethod
    def drop_role(self, uid: str) -> None:
        """Remove the role; absent is success."""

    @abstractmethod
    def list_databases(self) -> dict[str, int]:
        """Bytes of each database that is ours by uid, orphans and templates too."""

    @abstractmethod
    def list_roles(self) -> frozenset[str]:
        """The roles that are ours, those without a database too."""

    @abstractmethod
    def connect(
        self, uid: str, password: str | None = None
    ) -> contextlib.AbstractContextManager[Connection]:
        """Open the database of that uid; closed at the end, committed on success.

        With the tenant's password the session is the tenant's own: the way into every
        database in which somebody else's triggers may lie. Without it the session is
        the master's: only for a copy that no tenant has used yet.
        """


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    """The role and the database of one name, as they were seen in one look."""

    uid: str
    role: bool
    marker: str | None
    login: bool
    database: bool
    owner: str | None
    connectable: bool
    is_template: bool
    broken: bool


_LOOK = """
    SELECT r.oid IS NOT NULL, shobj_description(r.oid, 'pg_authid'),
           coalesce(r.rolcanlogin, false),
           d.oid IS NOT NULL, o.rolname, coalesce(d.datallowconn, false),
           coalesce(d.datistemplate, false), coalesce(d.datconnlimit = -2, false)
      FROM (VALUES (%s::name)) AS q(uid)
      LEFT JOIN pg_roles r ON r.rolname = q.uid
      LEFT JOIN pg_database d ON d.datname = q.uid
      LEFT JOIN pg_roles o ON o.oid = d.datdba
"""

# Who may connect: the owner, whoever holds CONNECT, and all their members. 0 is PUBLIC.
_STRANGERS = """
    WITH RECURSIVE allowed(oid) AS (
        SELECT d.datdba FROM pg_database d WHERE d.datname = %(uid)s
         UNION
        SELECT a.grantee
          FROM pg_database d,
               aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
         WHERE d.datname = %(uid)s
         UNION
        SELECT m.member FROM pg_auth_members m JOIN allowed ON allowed.oid = m.roleid
    )
    SELECT coalesce(r.rolname, 'PUBLIC')
      FROM allowed LEFT JOIN pg_roles r ON r.oid = allowed.oid
     WHERE NOT coalesce(r.rolsuper, false)
       AND coalesce(r.rolname, 'PUBLIC') NOT IN (%(owner)s, current_user)
     ORDER BY 1
"""

_OURS = """
    SELECT d.datname, pg_database_size(d.oid)
      FROM pg_database d
      JOIN pg_roles r ON r.rolname = d.datname
      JOIN pg_roles o ON o.oid = d.datdba
     WHERE shobj_description(r.oid, 'pg_authid') = %s
       AND (o.oid = r.oid OR o.rolname = current_user)
"""

_OPEN = """
    SELECT datname, pg_has_role(current_user, datdba, 'USAGE') FROM pg_database
     WHERE datallowconn AND has_database_privilege('public', oid, 'CONNECT')
     ORDER BY 1
"""

_ABILITIES = """
    SELECT rolsuper, rolcreatedb, rolcreaterole,
           current_setting('max_connections')::int,
           (SELECT sum(numbackends)::int FROM pg_stat_database)
      FROM pg_roles WHERE rolname = current_user
"""

_OWNED = """
    SELECT count(*) FROM pg_shdepend s
      JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database()
      JOIN pg_roles r ON r.oid = s.refobjid AND r.rolname = %s
     WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o'
"""


class PostgresServer(DatabaseServer):
    """A PostgreSQL 17 cluster."""

    def __init__(self, config: DatabaseServerConfig) -> None:
        self.config = config

    # --- looking

    def check(self) -> str:
        with self._session() as cursor:
            version = cursor.connection.server_version
            cursor.execute(_ABILITIES)
            superuser, databases, roles, limit, used = _fetch(cursor)
            self._check_abilities(version, superuser, databases and roles)
            self._check_closed(cursor, "use Prepare, or have an administrator run")
        return f"PostgreSQL {version // 10000}, {used} of {limit} connections in use"

    def list_databases(self) -> dict[str, int]:
        with self._session(timeout=COPY_TIMEOUT) as cursor:
            cursor.execute(_OURS, (self.config.marker,))
            # A database that vanished meanwhile has no size.
            return {uid: size for uid, size in cursor if size is not None}

    def list_roles(self) -> frozenset[str]:
        with self._session() as cursor:
            cursor.execute(
                "SELECT rolname FROM pg_roles"
                " WHERE shobj_description(oid, 'pg_authid') = %s",
                (self.config.marker,),
            )
            return frozenset(name for (name,) in cursor)

    # --- making

    def prepare(self) -> None:
        with self._session() as cursor:
            cursor.execute(_OPEN)
            for name, mine in cursor.fetchall():
                # On what belongs to others a REVOKE does nothing and only warns.
                if mine:
                    _run(
                        cursor,
                        "REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC",
                        sql.Identifier(name),
                    )
            self._check_closed(cursor, "have an administrator run")

    def ensure_role(
        self, uid: str, password: str, connection_limit: int, *, login: bool = True
    ) -> None:
        with self._administer(uid) as cursor:
            seen = self._look(cursor, uid)
            if not seen.role:
                self._create_role(cursor, uid)
            elif self._has_begun_sealing(seen):
                return
            # The server gets a verifier: the password itself would land in its logs.
            verifier = encrypt_password(
                password, uid, cursor.connection, "scram-sha-256"
            )
            _run(
                cursor,
                "ALTER ROLE {} {} CONNECTION LIMIT {} PASSWORD {}",
                sql.Identifier(uid),
                sql.SQL("LOGIN" if login else "NOLOGIN"),
                sql.Literal(int(connection_limit)),
                sql.Literal(verifier),
            )
            _run(
                cursor,
                "ALTER ROLE {} SET idle_in_transaction_session_timeout = {}",
                sql.Identifier(uid),
                sql.Literal(IDLE_IN_TRANSACTION),
            )

    def create_database(self, uid: str) -> None:
        with self._administer(uid) as cursor:
            seen = self._look(cursor, uid)
            if self._has_begun_sealing(seen):
                return
            self._check_role(seen)
            # The built-in locale sorts and compares alike on every machine.
            options = sql.SQL(
                "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin"
                " BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
            )
            self._ensure_database(cursor, seen, options)
            self._membership(cursor, uid, set_role=True)
            with self._session(uid) as inner:
                _run(inner, "SET ROLE {}", sql.Identifier(uid))
                for statement in SEARCH_STATEMENTS:
                    inner.execute(statement)
                _run(inner, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
            self._membership(cursor, uid, set_role=False)

    def seal_template(self, uid: str) -> None:
        name = sql.Identifier(uid)
        with self._administer(uid) as cursor:
            seen = self._look(cursor, uid)
            self._check_role(seen)
            if not seen.database:
                raise self._template_missing(uid)
            _run(cursor, "ALTER ROLE {} NOLOGIN PASSWORD NULL", name)
            self._end_sessions(cursor, uid)
            if seen.connectable:
                with self._session(uid, timeout=COPY_TIMEOUT) as inner:
                    # Statistics and frozen rows come with every copy.
                    inner.execute("VACUUM (FREEZE, ANALYZE)")
            _run(cursor, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
            self._end_sessions(cursor, uid)
            # Privileges of the builder go with the change of owner: REASSIGN OWNED
            # would otherwise hand the template itself to the first customer.
            _run(cursor, "ALTER DATABASE {} OWNER TO CURRENT_USER", name)
            _run(cursor, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
            _run(cursor, "REVOKE ALL ON DATABASE {0} FROM {0}", name)
            _run(cursor, "ALTER DATABASE {} IS_TEMPLATE true", name)
            self._membership(cursor, uid, set_role=False)
            self._assert_private(cursor, uid, owner=self.config.user)

    def clone(self, template_uid: str, uid: str) -> None:
        with self._administer(uid) as cursor:
            self._check_template(self._look(cursor, template_uid))
            seen = self._look(cursor, uid)
            self._check_role(seen)
            cursor.execute(
                "SELECT pg_database_size(%s::name) >= %s",
                (template_uid, FILE_COPY_FROM),
            )
            (large,) = _fetch(cursor)
            options = sql.SQL("TEMPLATE {} STRATEGY {}").format(
                sql.Identifier(template_uid),
                sql.SQL("FILE_COPY" if large else "WAL_LOG"),
            )
            try:
                self._ensure_database(cursor, seen, options)
            except psycopg2.errors.InternalError_ as error:
                if "is pinned" not in str(error):
                    raise
                raise self._out_of_disk(uid) from error
            self._hand_over(template_uid, uid)
            self._membership(cursor, uid, set_role=False)
            self._check_template(self._look(cursor, template_uid))
            self._assert_private(cursor, uid, owner=uid)

    # --- exchanging

    def exchange(self, uid: str, other: str, *, exchanged: bool) -> None:
        with self._administer(uid) as cursor, self._administer(other):
            for name in (uid, other):
                seen = self._look(cursor, name)
                self._check_role(seen)
                if not seen.database:
                    raise self._database_missing(name)
            mark = f"{self.config.marker} holds {other}"
            cursor.execute(
                "SELECT coalesce(shobj_description(oid, 'pg_database'), '')"
                " FROM pg_database WHERE datname = %s",
                (uid,),
            )
            if (_fetch(cursor) == (mark,)) != exchanged:
                self._exchange_names(cursor, uid, other, mark if exchanged else "")
            self._hand_over_both(cursor, uid, other)

    def _exchange_names(self, cursor: Cursor, uid: str, other: str, mark: str) -> None:
        one, two, free = (
            sql.Identifier(name) for name in (uid, other, f"{uid}_{other}")
        )
        for name in (uid, other):
            self._membership(cursor, name, set_role=True)
            self._end_sessions(cursor, name)
        # All or nothing, and the mark with it: whoever looks sees what was done.
        with cursor.connection:
            for database in (one, two):
                # Under another's name a database would pass for somebody else's.
                _run(cursor, "ALTER DATABASE {} OWNER TO CURRENT_USER", database)
            _run(cursor, "ALTER DATABASE {} RENAME TO {}", one, free)
            _run(cursor, "ALTER DATABASE {} RENAME TO {}", two, one)
            _run(cursor, "ALTER DATABASE {} RENAME TO {}", free, two)
            _run(cursor, "COMMENT ON DATABASE {} IS {}", one, sql.Literal(mark))
            _run(cursor, "COMMENT ON DATABASE {} IS NULL", two)

    def _hand_over_both(self, cursor: Cursor, uid: str, other: str) -> None:
        """Give all in each of the two to the role of its name."""
        for name, before in ((uid, other), (other, uid)):
            self._membership(cursor, name, set_role=True)
            self._membership(cursor, before, set_role=True)
            # REASSIGN takes a role's databases too: only the one at hand may be had.
            own = "ALTER DATABASE {} OWNER TO CURRENT_USER"
            _run(cursor, own, sql.Identifier(before))
            _run(cursor, "ALTER DATABASE {0} OWNER TO {0}", sql.Identifier(name))
            self._hand_over(before, name)
        _run(cursor, "ALTER DATABASE {0} OWNER TO {0}", sql.Identifier(uid))
        for name in (uid, other):
            self._membership(cursor, name, set_role=False)
            self._assert_private(cursor, name, owner=name)

    # --- removing

    def drop_database(self, uid: str) -> None:
        with self._administer(uid) as cursor:
            seen = self._look(cursor, uid)
            if seen.database:
                self._drop_database(cursor, seen)
                _logger.info("dropped database %s on %s", uid, self.config.address)

    def drop_role(self, uid: str) -> None:
        with self._administer(uid) as cursor:
            seen = self._look(cursor, uid)
            if seen.role:
                _run(cursor, "DROP ROLE {}", sql.Identifier(uid))
                _logger.info("dropped role %s on %s", uid, self.config.address)

    # --- connecting

    @contextlib.contextmanager
    def connect(self, uid: str, password: str | None = None) -> Iterator[Connection]:
        _check_uid(uid)
        with (
            translate_errors(self.config),
            self._open(
                uid,
                user=uid if password is not None else None,
                password=password,
                search_path="public",
            ) as connection,
        ):
            with connection.cursor() as cursor:
                self._look(cursor, uid)
            connection.rollback()
            yield connection
            connection.commit()

    @contextlib.contextmanager
    def _open(
        self,
        database: str,
        *,
        user: str | None = None,
        password: str | None = None,
        timeout: float = STATEMENT_TIMEOUT,
        search_path: str = "pg_catalog",
    ) -> Iterator[Connection]:
        # Settings of a database belong to its owner: ours must win over them.
        options = " ".join(
            f"-c {name}={value}"
            for name, value in {
                "statement_timeout": f"{int(timeout * 1000)}",
                "lock_timeout": f"{LOCK_TIMEOUT * 1000}",
                "idle_in_transaction_session_timeout": f"{COPY_TIMEOUT * 1000}",
                "search_path": search_path,
            }.items()
        )
        with contextlib.closing(
            psycopg2.connect(
                host=self.config.host,
                port=self.config.port,
                dbname=database,
                user=user or self.config.user,
                password=password if user else self.config.password,
                sslmode=self.config.sslmode,
                connect_timeout=CONNECT_TIMEOUT,
                tcp_user_timeout=int(timeout * 1000),
                keepalives_idle=30,
                application_name="saas",
                options=options,
            )
        ) as connection:
            yield connection

    @contextlib.contextmanager
    def _session(
        self, database: str | None = None, *, timeout: float = STATEMENT_TIMEOUT
    ) -> Iterator[Cursor]:
        """A cursor of the master's role, each statement its own transaction."""
        with (
            translate_errors(self.config),
            self._open(
                database or self.config.maintenance, timeout=timeout
            ) as connection,
        ):
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor

    @contextlib.contextmanager
    def _administer(self, uid: str) -> Iterator[Cursor]:
        """A session that alone changes what carries that uid.

        The lock goes with the session, so a killed caller does not leave it behind;
        while the server still works for that caller, the next one waits.
        """
        _check_uid(uid)
        with self._session(timeout=COPY_TIMEOUT) as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 19))", (uid,))
            yield cursor

    # --- steps

    def _look(self, cursor: Cursor, uid: str) -> _Seen:
        """What carries that name; foreign things are refused here, for all callers."""
        cursor.execute(_LOOK, (uid,))
        seen = _Seen(uid, *_fetch(cursor))
        if seen.role and seen.marker != self.config.marker:
            raise self._foreign("role", uid)
        if seen.database and not (seen.role and seen.owner in (uid, self.config.user)):
            raise self._foreign("database", uid)
        return seen

    def _create_role(self, cursor: Cursor, uid: str) -> None:
        name = sql.Identifier(uid)
        with cursor.connection:
            _run(
                cursor,
                "CREATE ROLE {} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
                " NOREPLICATION NOBYPASSRLS",
                name,
            )
            _run(
                cursor,
                "COMMENT ON ROLE {} IS {}",
                name,
                sql.Literal(self.config.marker),
            )
            _run(cursor, "GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET FALSE", name)

    def _ensure_database(
        self, cursor: Cursor, seen: _Seen, options: sql.Composable
    ) -> None:
        name = sql.Identifier(seen.uid)
        if seen.broken:
            self._drop_database(cursor, seen)
        if seen.broken or not seen.database:
            self._membership(cursor, seen.uid, set_role=True)
            # Everybody may connect to a new database: none can before that is closed.
            _run(
                cursor,
                "CREATE DATABASE {0} OWNER {0} ALLOW_CONNECTIONS false {1}",
                name,
                options,
            )
        if seen.broken or not seen.connectable:
            _run(cursor, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
            _run(cursor, "ALTER DATABASE {} ALLOW_CONNECTIONS true", name)

    def _membership(self, cursor: Cursor, uid: str, *, set_role: bool) -> None:
        """Let the master's role use what that role owns, and become it while needed."""
        cursor.execute(
            "SELECT count(*) FROM pg_auth_members m"
            " JOIN pg_roles r ON r.oid = m.roleid AND r.rolname = %s"
            " JOIN pg_roles u ON u.oid = m.member AND u.rolname = current_user"
            " JOIN pg_roles g ON g.oid = m.grantor AND g.rolname = current_user"
            " WHERE m.inherit_option AND m.set_option = %s",
            (uid, set_role),
        )
        if _fetch(cursor) == (0,):
            _run(
                cursor,
                "GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET {}",
                sql.Identifier(uid),
                sql.SQL("TRUE" if set_role else "FALSE"),
            )

    def _hand_over(self, template_uid: str, uid: str) -> None:
        """Give all in the copy to the tenant; what is done already is not repeated."""
        with self._session(uid, timeout=COPY_TIMEOUT) as cursor:
            cursor.execute(_OWNED, (template_uid,))
            if _fetch(cursor) != (0,):
                self._membership(cursor, uid, set_role=True)
                _run(
                    cursor,
                    "REASSIGN OWNED BY {} TO {}",
                    sql.Identifier(template_uid),
                    sql.Identifier(uid),
                )
            _run(cursor, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")

    def _drop_database(self, cursor: Cursor, seen: _Seen) -> None:
        name = sql.Identifier(seen.uid)
        if seen.is_template:
            _run(cursor, "ALTER DATABASE {} IS_TEMPLATE false", name)
        _run(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _end_sessions(self, cursor: Cursor, uid: str) -> None:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend'",
            (uid,),
        )

    # --- judging

    def _has_begun_sealing(self, seen: _Seen) -> bool:
        return seen.database and seen.owner == self.config.user

    def _is_sealed(self, seen: _Seen) -> bool:
        return (
            self._has_begun_sealing(seen)
            and seen.is_template
            and not seen.connectable
            and not seen.login
        )

    def _check_template(self, seen: _Seen) -> None:
        if not seen.database:
            raise self._template_missing(seen.uid)
        if not self._is_sealed(seen):
            raise RefusedError(
                f"Template {seen.uid} on {self.config.address} is not sealed, or its"
                " owner has changed. Build it again.",
                reason="not_sealed",
            )

    def _check_role(self, seen: _Seen) -> None:
        if not seen.role:
            raise RefusedError(
                f"Role {seen.uid} does not exist on {self.config.address}."
                " Make it before its database.",
                reason="role_missing",
            )

    def _assert_private(self, cursor: Cursor, uid: str, *, owner: str) -> None:
        cursor.execute(_STRANGERS, {"uid": uid, "owner": owner})
        strangers = [name for (name,) in cursor]
        if strangers:
            raise RefusedError(
                f"Database {uid} on {self.config.address} is open to"
                f" {', '.join(strangers)}. Revoke that, then try again.",
                reason="exposed",
            )

    def _check_abilities(self, version: int, superuser: bool, able: bool) -> None:
        user, address = self.config.user, self.config.address
        if version < OLDEST_VERSION:
            raise RefusedError(
                f"{address} runs PostgreSQL {version // 10000}; tenants need"
                f" {OLDEST_VERSION // 10000} or newer.",
                reason="version",
            )
        if superuser:
            raise RefusedError(
                f"Role {user} on {address} is a superuser. Give the master a role with"
                " CREATEDB and CREATEROLE only.",
                reason="superuser",
            )
        if not able:
            raise RefusedError(
                f"Role {user} on {address} may not create databases and roles. Have an"
                f" administrator run: ALTER ROLE {user} CREATEDB CREATEROLE;",
                reason="privilege",
            )

    def _check_closed(self, cursor: Cursor, advice: str) -> None:
        cursor.execute(_OPEN)
        names = [name for name, _mine in cursor]
        if names:
            statements = " ".join(
                f'REVOKE CONNECT, TEMPORARY ON DATABASE "{name}" FROM PUBLIC;'
                for name in names
            )
            raise RefusedError(
                f"Every role may connect to {', '.join(names)} on"
                f" {self.config.address}: {advice} {statements}",
                reason="open",
            )

    def _template_missing(self, uid: str) -> RefusedError:
        return RefusedError(
            f"Template {uid} does not exist on {self.config.address}. Build it first.",
            reason="template_missing",
        )

    def _database_missing(self, uid: str) -> RefusedError:
        return RefusedError(
            f"Database {uid} does not exist on {self.config.address}.",
            reason="database_missing",
        )

    def _out_of_disk(self, uid: str) -> RefusedError:
        # The server's own way to undo a copy fails then, and hides why it was undone.
        # What was written stays on the disk: another try would take what is left of it
        # from all others.
        return RefusedError(
            f"The copy for {uid} on {self.config.address} was broken off: its disk is"
            " full. Make room there, then try again.",
            reason="disk_full",
        )

    def _foreign(self, kind: str, uid: str) -> RefusedError:
        return RefusedError(
            f"A {kind} named {uid} on {self.config.address} is not ours. It is left"
            " as it is; rename or remove it by hand, or choose another server.",
            reason="foreign",
        )


# --- statements


def _run(cursor: Cursor, statement: str, *parts: sql.Composable) -> None:
    cursor.execute(sql.SQL(statement).format(*parts))


def _fetch(cursor: Cursor) -> tuple[Any, ...]:
    """The row of a statement that always gives one."""
    row = cursor.fetchone()
    assert row is not None
    return row


def _check_uid(uid: str) -> None:
    # Longer names would be cut by the server and then meet another's.
    if not re.fullmatch(r"(?!pg)[a-z][a-z0-9_]{2,39}", uid):
        raise RefusedError(f"{uid!r} is not a uid.", reason="bad_uid")


# --- errors

# The server tells why it refused a connection in words only.
_CONNECTION_REFUSALS = (
    (
        "authentication failed",
        "credentials",
        "{address} refused the password of {user}",
    ),
    ("no password supplied", "credentials", "{address} wants a password for {user}"),
    ("not permitted to log in", "credentials", "the role is not allowed to log in"),
    (
        "pg_hba.conf",
        "not_allowed",
        "{address} admits no connection of {user} from here",
    ),
    ("does not support SSL", "tls", "{address} offers no TLS, and it is required"),
    ("certificate", "tls", "the certificate of {address} was not accepted"),
    ("permission denied for database", "privilege", "{user} may not connect"),
    ("not currently accepting connections", "sealed", "the database is a template"),
)
_CONNECTION_RETRIES = (
    ("too many", "too_many_connections", "{address} has no free connection"),
    (
        "connection slots are",
        "too_many_connections",
        "{address} has no free connection",
    ),
    ("starting up", "unreachable", "{address} is starting"),
    ("shutting down", "unreachable", "{address} is shutting down"),
    ("in recovery mode", "unreachable", "{address} is recovering"),
    ("timeout expired", "unreachable", "{address} did not answer in time"),
    ("could not translate host name", "unreachable", "nothing is known of {address}"),
    ("Connection refused", "unreachable", "nothing listens at {address}"),
)

_RETRIES = {
    errorcodes.TOO_MANY_CONNECTIONS: ("too_many_connections", "has no free connection"),
    errorcodes.DISK_FULL: ("disk_full", "has no disk space left"),
    errorcodes.OUT_OF_MEMORY: ("resources", "is out of memory"),
    errorcodes.QUERY_CANCELED: ("timeout", "did not finish in time"),
    errorcodes.LOCK_NOT_AVAILABLE: ("busy", "is busy with the same tenant"),
    errorcodes.OBJECT_IN_USE: ("in_use", "says that the database is still in use"),
    errorcodes.DEPENDENT_OBJECTS_STILL_EXIST: (
        "in_use",
        "still has what the role owns",
    ),
    errorcodes.DUPLICATE_DATABASE: ("conflict", "made the same thing meanwhile"),
    errorcodes.DUPLICATE_OBJECT: ("conflict", "made the same thing meanwhile"),
    errorcodes.UNIQUE_VIOLATION: ("conflict", "made the same thing meanwhile"),
    errorcodes.ADMIN_SHUTDOWN: ("unreachable", "ended the session"),
    errorcodes.CRASH_SHUTDOWN: ("unreachable", "ended the session"),
    errorcodes.CANNOT_CONNECT_NOW: ("unreachable", "is starting"),
}
# By the first two characters, where the whole code is not named above.
_RETRIED_CLASSES = {
    "08": ("unreachable", "lost the connection"),
    "40": ("conflict", "met a simultaneous change"),
    "53": ("resources", "is out of resources"),
    "57": ("unreachable", "was interrupted"),
    "58": ("server", "has a system error"),
    "XX": ("server", "has an internal error"),
}


@contextlib.contextmanager
def translate_errors(config: DatabaseServerConfig) -> Iterator[None]:
    """Turn what the database says into the engine's two kinds of error.

    What is neither (a wrong statement, say) is a fault of ours and passes as it is.
    """
    try:
        yield
    except psycopg2.Error as error:
        translated = _translate(error, config)
        if translated is None:
            raise
        raise translated from error


def _translate(
    error: psycopg2.Error, config: DatabaseServerConfig
) -> EngineError | None:
    code = error.pgcode
    server = f"The database server {config.address}"
    if code is None:
        return _translate_connection(error, config)
    if code == errorcodes.INSUFFICIENT_PRIVILEGE:
        detail = error.diag.message_primary or "permission denied"
        # A superuser's session, as autovacuum's, is no one else's to end: it will end.
        if detail == "permission denied to terminate process":
            return RetryableError(
                f"{server} has the database in maintenance. It is tried again.",
                reason="in_use",
            )
        return RefusedError(
            f"{server} does not let role {config.user} do this: {detail}.",
            reason="privilege",
        )
    if code == errorcodes.INVALID_CATALOG_NAME:
        return RefusedError(f"{server} has no such database.", reason="absent")
    if code[:2] == "28":
        return RefusedError(
            f"{server} refused the login of {config.user}.", reason="credentials"
        )
    reason, what = _RETRIES.get(code) or _RETRIED_CLASSES.get(code[:2]) or (None, None)
    if reason is None:
        return None
    return RetryableError(f"{server} {what}. It is tried again.", reason=reason)


def _translate_connection(
    error: psycopg2.Error, config: DatabaseServerConfig
) -> EngineError | None:
    if not isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return None
    text = str(error)
    known = {"address": config.address, "user": config.user}
    prefix = "The database server cannot be used: "
    for needle, reason, what in _CONNECTION_RETRIES:
        if needle in text:
            return RetryableError(
                f"{prefix}{what.format(**known)}. It is tried again.", reason=reason
            )
    if re.search(r'database ".*" does not exist', text):
        return RefusedError(
            f"The database server {config.address} has no such database.",
            reason="absent",
        )
    for needle, reason, what in _CONNECTION_REFUSALS:
        if needle in text:
            return RefusedError(f"{prefix}{what.format(**known)}.", reason=reason)
    return RetryableError(
        f"{prefix}the connection to {config.address} was lost. It is tried again.",
        reason="unreachable",
    )
