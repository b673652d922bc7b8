"""An API key, made as a person makes one: logged in, and after the password again."""

from __future__ import annotations

import requests

SECONDS = 60


def make_api_key(url: str, database: str, login: str, password: str) -> str:
    """Return a new key of that user; it is valid for a day."""
    with requests.Session() as session:
        values = {"db": database, "login": login, "password": password}
        _post(session, f"{url}/web/session/authenticate", values)
        wizard = _call(
            session,
            url,
            "res.users.apikeys.description",
            "create",
            [[{"name": "Tests", "duration": "1"}]],
        )
        asked = _call(session, url, "res.users.apikeys.description", "make_key", wizard)
        shown = _call(
            session,
            url,
            "res.users.identitycheck",
            "run_check",
            [asked["res_id"]],
            context={"password": password},
        )
    return shown["context"]["default_key"]


def _call(session, url, model, method, first, **kwargs):
    values = {
        "model": model,
        "method": method,
        "args": first if method == "create" else [first],
        "kwargs": kwargs,
    }
    return _post(session, f"{url}/web/dataset/call_kw/{model}/{method}", values)


def _post(session, address, values):
    answer = session.post(
        address, json={"jsonrpc": "2.0", "params": values}, timeout=SECONDS
    )
    answer.raise_for_status()
    body = answer.json()
    if "error" in body:
        raise RuntimeError(body["error"]["data"]["message"])
    return body["result"]
