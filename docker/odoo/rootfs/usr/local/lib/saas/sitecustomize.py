"""Keeps Odoo inside its own database.

Odoo talks to its scheduled actions and to the bus through LISTEN and NOTIFY in the
shared database ``postgres``, and looks there whether its own database exists. Here no
role may connect to ``postgres``: whoever asks for it gets the configured database. It
has to be in place before Odoo is imported, in every process, so it is neither an addon
nor an option.

And whoever finds all connections of the process in use waits for one: a tenant has few,
and Odoo answers such a request with an error at once. A process that has just started
waits for its database, too: a new tenant's Odoo starts while the database is made or
restored.
Threads of scheduled actions wait for as long as it takes: Odoo's own end for good when
they cannot connect, and after a restart of PostgreSQL nothing scheduled would ever run.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.util
import sys
import threading
import time

TARGET = "odoo.sql_db"
SHARED = "postgres"
PATIENCE = 10  # seconds to wait for a connection
PAUSE = 0.02
PAUSE_SHARE = 0.02  # of the time that was waited: trying takes some of the processor
# What PostgreSQL says as long as a new tenant's database is being made, and as long as
# one is being restored, when the role has another password: it looks at the role before
# it looks for the database. One that is missing later is an error at once.
NOT_YET = ("is not permitted to log in", "password authentication failed")
SECONDS_TO_OPEN = 60  # after the start of the process
SCHEDULED = "odoo.service.cron"  # how the names of these threads begin
PAUSE_OF_SCHEDULED = 1


def own_database(name, configured):
    """Map the shared database to the only configured one; leave others as they are.

    :param configured: ``db_name`` of the configuration: list, string or nothing
    """
    if name != SHARED or not configured:
        return name
    names = configured.split(",") if isinstance(configured, str) else list(configured)
    return names[0].strip() if len(names) == 1 else name


def redirect(module):
    """Wrap ``db_connect`` of the module ``odoo.sql_db``."""
    connect = module.db_connect

    @functools.wraps(connect)
    def db_connect(to, *args, **kwargs):
        configured = module.tools.config["db_name"]
        return connect(own_database(to, configured), *args, **kwargs)

    module.db_connect = db_connect


def is_closed(error):
    """Whether the database is one to which the role is not let in yet."""
    return any(words in str(error) for words in NOT_YET)


def wait_for_connections(module):
    """Wrap ``ConnectionPool.borrow``: wait while all connections are in use, at the
    start for the database, and in threads of scheduled actions always.
    """
    borrow = module.ConnectionPool.borrow
    starting_until = time.monotonic() + SECONDS_TO_OPEN

    @functools.wraps(borrow)
    def patient(*args, **kwargs):
        while threading.current_thread().name.startswith(SCHEDULED):
            try:
                return borrow(*args, **kwargs)
            except (module.PoolError, module.psycopg2.OperationalError):
                time.sleep(PAUSE_OF_SCHEDULED)
        since = time.monotonic()
        while True:
            try:
                return borrow(*args, **kwargs)
            except module.PoolError:
                if time.monotonic() > since + PATIENCE:
                    raise
            except module.psycopg2.OperationalError as error:
                if not is_closed(error) or time.monotonic() > starting_until:
                    raise
            time.sleep(max(PAUSE, PAUSE_SHARE * (time.monotonic() - since)))

    module.ConnectionPool.borrow = patient


class _Loader(importlib.abc.Loader):
    def __init__(self, loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        redirect(module)
        wait_for_connections(module)

    def __getattr__(self, name):
        return getattr(self._loader, name)


class Finder(importlib.abc.MetaPathFinder):
    """Finds ``odoo.sql_db`` once, as everybody else would, and wraps its loader."""

    def find_spec(self, fullname, path, target=None):
        if fullname != TARGET:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


sys.meta_path.insert(0, Finder())
