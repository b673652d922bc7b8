"""Routes of our addons as the server knows them, and tables of what they answer."""

import re
from urllib.parse import urlsplit


def read_table(text):
    """Return what a table says: the status by role, by method and route.

    A number is the answer's status; ``login`` leads to the page where one logs in.
    """
    heading, *lines = text.strip("\n").splitlines()
    roles = heading.split()
    rows = {}
    for line in lines:
        method, route, *statuses = line.split()
        rows[method, route] = dict(zip(roles, statuses, strict=True))
    return rows


def find_routes(env, addons):
    """Return each method and route of these addons that the server answers, and its
    type.
    """
    found = {}
    for rule in env["ir.http"].routing_map().iter_rules():
        module = rule.endpoint.original_endpoint.__module__.split(".")
        if module[:2] != ["odoo", "addons"] or module[2] not in addons:
            continue
        kind = rule.endpoint.routing["type"]
        methods = set(rule.methods or ({"POST"} if kind == "jsonrpc" else set()))
        for method in sorted(methods - {"HEAD", "OPTIONS"} or {"GET", "POST"}):
            # Without converters, as a table has it.
            route = re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"<\1>", rule.rule)
            found[method, route] = kind
    return found


def describe(response):
    """Return what came, as a table says it."""
    target = urlsplit(response.headers.get("Location", ""))
    return "login" if target.path == "/web/login" else str(response.status_code)
