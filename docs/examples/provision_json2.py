#!/usr/bin/env python3
"""Give a customer an Odoo of their own, by JSON-2 (needs the package requests).

    export SAAS_URL=http://saas.localhost:8080 SAAS_API_KEY=...
    python3 provision_json2.py SUBDOMAIN [PLAN]

Prints the tenant's address and a link that logs in once, within 60 seconds.
``SAAS_DATABASE`` is ``master`` unless it is set.
"""

import os
import sys
import time

import requests

URL = os.environ["SAAS_URL"].rstrip("/")
HEADERS = {
    "Authorization": f"bearer {os.environ['SAAS_API_KEY']}",
    "X-Odoo-Database": os.environ.get("SAAS_DATABASE", "master"),
}
SECONDS_TO_WAIT = 600


def call(model, method, **arguments):
    """Call a method by the names of its arguments; ``ids`` are its records."""
    answer = requests.post(
        f"{URL}/json/2/{model}/{method}", json=arguments, headers=HEADERS, timeout=60
    )
    if not answer.ok:
        raise SystemExit(f"{answer.status_code}: {answer.json()['message']}")
    return answer.json()


def find_plan(name):
    domain = [["name", "=", name]] if name else []
    plans = call("saas.plan", "search", domain=domain, limit=1)
    if not plans:
        raise SystemExit(f"There is no plan {name}.")
    return plans[0]


def follow(operation):
    """Wait until an operation has ended well."""
    until = time.monotonic() + SECONDS_TO_WAIT
    while time.monotonic() < until:
        [found] = call(
            "saas.operation", "read", ids=[operation], fields=["state", "message"]
        )
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
    [customer] = call("res.partner", "create", vals_list=[values])
    values = {"name": name, "partner_id": customer, "plan_id": plan}
    [tenant] = call("saas.tenant", "create", vals_list=[values])

    [operation] = call("saas.tenant", "action_provision", ids=[tenant])
    follow(operation)

    [found] = call("saas.tenant", "read", ids=[tenant], fields=["url"])
    print(found["url"])
    print(call("saas.tenant", "get_login_url", ids=[tenant]))


if __name__ == "__main__":
    main()
