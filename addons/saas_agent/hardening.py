"""What holds in a tenant whatever is installed in its database.

A server-wide addon that is not installed cannot override models, so this changes
Odoo's HTTP layer itself, once, when the server loads the addon.
"""

from __future__ import annotations

import functools
import logging
import re
import time

from psycopg2.pool import PoolError

from odoo import http, sql_db

from .activity import activity, watched

SESSION_COOKIE = "session_id"
DATABASE_MANAGER = "/web/database"

CONNECTION_SECONDS = 20
"""How long a request waits for a connection to the database that another one has."""

CONNECTION_INTERVAL = 0.05

TOKEN = re.compile(r"(/saas/login\?)[^\s\"]*")


class HideToken(logging.Filter):
    """Keeps login tokens out of the log of requests."""

    def filter(self, record):
        if isinstance(record.msg, str):
            record.msg = TOKEN.sub(r"\1...", record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(
                TOKEN.sub(r"\1...", arg) if isinstance(arg, str) else arg
                for arg in record.args
            )
        return True


def strict_session_cookie(set_cookie):
    """Wrap ``set_cookie``: the session goes to this site alone, and only by HTTPS."""

    @functools.wraps(set_cookie)
    def wrapper(self, key, *args, **kwargs):
        if key == SESSION_COOKIE:
            kwargs.update(
                secure=http.request.httprequest.scheme == "https",
                httponly=True,
                samesite="Lax",
            )
        return set_cookie(self, key, *args, **kwargs)

    return wrapper


def without_database_manager(generate_routing_rules):
    """Wrap the routing: the pages that manage databases do not exist here."""

    @functools.wraps(generate_routing_rules)
    def wrapper(*args, **kwargs):
        for url, endpoint in generate_routing_rules(*args, **kwargs):
            if not url.startswith(DATABASE_MANAGER):
                yield url, endpoint

    return wrapper


def patient(borrow):
    """Wrap the pool's ``borrow``: whoever finds it empty waits for a while.

    A tenant has few connections, and Odoo fails at once where many come together.
    """

    @functools.wraps(borrow)
    def wrapper(self, connection_info):
        until = time.monotonic() + CONNECTION_SECONDS
        while True:
            try:
                return borrow(self, connection_info)
            except PoolError:
                if time.monotonic() > until:
                    raise
            time.sleep(CONNECTION_INTERVAL)

    return wrapper


def post_load():
    """Called by Odoo once the server has loaded this addon."""
    logging.getLogger("werkzeug").addFilter(HideToken())
    for cls in (http.FutureResponse, http._Response):
        cls.set_cookie = strict_session_cookie(cls.set_cookie)
    pool = sql_db.ConnectionPool
    pool.borrow = patient(pool.borrow)
    activity.start()
    http.Application.__call__ = watched(http.Application.__call__)
    http._generate_routing_rules = without_database_manager(
        http._generate_routing_rules
    )
