#!/usr/bin/env python3
"""The whole life of a tenant, by OdooRPC (needs the package OdooRPC).

    export SAAS_URL=http://saas.localhost:8080 SAAS_API_KEY=...
    python3 lifecycle_odoorpc.py SUBDOMAIN

Makes a plan, a customer and a tenant; provisions it and follows the operation; opens
the login link; then erases the tenant at once and for good.
``SAAS_DATABASE`` is ``master`` and ``SAAS_LOGIN`` is ``admin`` unless they are set; a
password in ``SAAS_API_KEY`` works as well.
"""

import http.cookiejar
import os
import sys
import time
import urllib.parse
import urllib.request

import odoorpc

SECONDS_TO_WAIT = 600


def connect():
    url = urllib.parse.urlsplit(os.environ["SAAS_URL"])
    secure = url.scheme == "https"
    master = odoorpc.ODOO(
        url.hostname,
        protocol="jsonrpc+ssl" if secure else "jsonrpc",
        port=url.port or (443 if secure else 80),
    )
    master.login(
        os.environ.get("SAAS_DATABASE", "master"),
        os.environ.get("SAAS_LOGIN", "admin"),
        os.environ["SAAS_API_KEY"],
    )
    return master


def follow(master, operation):
    """Wait until an operation has ended well; tell its steps as they are done."""
    told = set()
    until = time.monotonic() + SECONDS_TO_WAIT
    while time.monotonic() < until:
        [found] = master.execute(
            "saas.operation", "read", [operation], ["state", "message", "step_ids"]
        )
        steps = master.execute(
            "saas.operation.step", "read", found["step_ids"], ["label", "state"]
        )
        for step in steps:
            if step["state"] == "done" and step["id"] not in told:
                told.add(step["id"])
                print(f"  {step['label']}")
        if found["state"] == "done":
            return
        if found["state"] not in ("pending", "running"):
            raise SystemExit(f"{found['state']}: {found['message']}")
        time.sleep(0.2)
    raise SystemExit(f"Operation {operation} goes on; look at it again later.")


def open_link(link):
    """Open a login link as a browser does; the address where it ends."""
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    with urllib.request.build_opener(cookies).open(link, timeout=60) as page:
        return page.url


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    name = sys.argv[1]
    master = connect()
    tenants = master.env["saas.tenant"]
    [image] = master.env["saas.image"].search([], limit=1)
    plan = master.env["saas.plan"].create(
        {
            "name": f"Plan of {name}",
            "image_id": image,
            "modules": "base",
            "memory": 512,
            "grace_days": 7,
        }
    )
    customer = master.env["res.partner"].create(
        {"name": f"Customer {name}", "email": f"{name}@example.com"}
    )
    tenant = tenants.create({"name": name, "partner_id": customer, "plan_id": plan})

    print("provision")
    [operation] = master.execute("saas.tenant", "action_provision", [tenant])
    follow(master, operation)

    [found] = tenants.read([tenant], ["state", "url"])
    print(f"{found['state']} at {found['url']}")
    link = master.execute("saas.tenant", "get_login_url", [tenant])
    print(f"logged in at {open_link(link)}")

    print("erase")
    [operation] = master.execute("saas.tenant", "action_delete", [tenant], True)
    follow(master, operation)
    [found] = tenants.read([tenant], ["state"])
    print(found["state"])
    # A plan that a tenant had is kept for the record; archived, nobody chooses it.
    master.env["saas.plan"].write([plan], {"active": False})


if __name__ == "__main__":
    main()
