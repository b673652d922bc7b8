#!/usr/bin/env python3
"""Give a customer an Odoo of their own, by XML-RPC; needs nothing but Python.

    export SAAS_URL=http://saas.localhost:8080 SAAS_API_KEY=...
    python3 provision_xmlrpc.py SUBDOMAIN [PLAN]

Prints the tenant's address and a link that logs in once, within 60 seconds.
``SAAS_DATABASE`` is ``master`` and ``SAAS_LOGIN`` is ``admin`` unless they are set; a
password in ``SAAS_API_KEY`` works as well.
"""

import os
import sys
import time
import xmlrpc.client

URL = os.environ["SAAS_URL"].rstrip("/")
DATABASE = os.environ.get("SAAS_DATABASE", "master")
LOGIN = os.environ.get("SAAS_LOGIN", "admin")
KEY = os.environ["SAAS_API_KEY"]
SECONDS_TO_WAIT = 600


def log_in():
    common = xmlrpc.client.ServerProxy(f"{URL}/xmlrpc/2/common")
    user = common.authenticate(DATABASE, LOGIN, KEY, {})
    if not user:
        raise SystemExit(f"{URL} refuses the login {LOGIN} with that key.")
    return user


USER = log_in()
OBJECT = xmlrpc.client.ServerProxy(f"{URL}/xmlrpc/2/object", allow_none=True)


def call(model, method, *arguments, **named):
    """Call a method; the first argument of a method of records is their ids."""
    try:
        return OBJECT.execute_kw(DATABASE, USER, KEY, model, method, arguments, named)
    except xmlrpc.client.Fault as fault:
        raise SystemExit(fault.faultString) from fault


def find_plan(name):
    domain = [["name", "=", name]] if name else []
    plans = call("saas.plan", "search", domain, limit=1)
    if not plans:
        raise SystemExit(f"There is no plan {name}.")
    return plans[0]


def follow(operation):
    """Wait until an operation has ended well."""
    until = time.monotonic() + SECONDS_TO_WAIT
    while time.monotonic() < until:
        [found] = call("saas.operation", "read", [operation], ["state", "message"])
        if found["state"] == "done":
            return
        if found["state"] not in ("pending", "running"):
            raise SystemExit(f"{found['state']}: {found['message']}")
        time.sleep(0.5)
    raise SystemExit(f"Operation {operation} goes on; look at it again later.")


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    name = sys.argv[1]
    plan = find_plan(sys.argv[2] if len(sys.argv) > 2 else "")
    values = {"name": f"Customer {name}", "email": f"{name}@example.com"}
    customer = call("res.partner", "create", values)
    values = {"name": name, "partner_id": customer, "plan_id": plan}
    tenant = call("saas.tenant", "create", values)

    [operation] = call("saas.tenant", "action_provision", [tenant])
    follow(operation)

    [found] = call("saas.tenant", "read", [tenant], ["url"])
    print(found["url"])
    print(call("saas.tenant", "get_login_url", [tenant]))


if __name__ == "__main__":
    main()
