"""A person's browser session with an Odoo, as far as tests need one."""

from __future__ import annotations

import contextlib
import re
import secrets

import requests

CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class Session(requests.Session):
    """Cookies of one Odoo at ``url``."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def log_in(self, login, password):
        page = self.get(f"{self.url}/web/login", timeout=60)
        form = {"login": login, "password": password}
        form["csrf_token"] = CSRF.search(page.text)[1]
        answer = self.post(f"{self.url}/web/login", data=form, timeout=60)
        assert answer.url.startswith(f"{self.url}/odoo"), answer.url
        return self

    def follow(self, link):
        """Use a one-time link."""
        answer = self.get(link, timeout=60)
        assert answer.url.startswith(f"{self.url}/odoo"), answer.url
        return self

    def call(self, model, method, *args, **kwargs):
        params = {"model": model, "method": method, "args": args, "kwargs": kwargs}
        answer = self.post(
            f"{self.url}/web/dataset/call_kw/{model}/{method}",
            json={"jsonrpc": "2.0", "method": "call", "params": params},
            timeout=120,
        ).json()
        assert "error" not in answer, answer["error"]["data"]["message"]
        return answer["result"]

    def make_api_key(self, password):
        """Make an API key as a person does, password check included; its clear text."""
        [wizard] = self.call(
            "res.users.apikeys.description",
            "create",
            [{"name": "e2e", "duration": "1"}],
        )
        action = self.call("res.users.apikeys.description", "make_key", [wizard])
        if action["res_model"] == "res.users.identitycheck":
            context = {"password": password}
            check = [action["res_id"]]
            action = self.call(action["res_model"], "run_check", check, context=context)
        return action["context"]["default_key"]


@contextlib.contextmanager
def operator(master):
    """Somebody of the staff who may run tenants and is no administrator: a login and
    a password."""
    [group] = master.search(
        "ir.model.data", [("module", "=", "saas"), ("name", "=", "group_operator")]
    )
    login, password = f"operator-{secrets.token_hex(3)}", secrets.token_urlsafe(16)
    user = master.create(
        "res.users",
        {
            "name": "Olivia Operator",
            "login": login,
            "password": password,
            "group_ids": [(4, master.read("ir.model.data", group, "res_id"))],
        },
    )
    try:
        yield login, password
    finally:
        master.call("res.users", "write", user, {"active": False})
