"""The session's cookie: to this site alone, and by HTTPS where there is HTTPS.

Odoo has no setting for it, so its HTTP layer is changed, as saas_agent does in tenants.
"""

import functools

from odoo import http

SESSION_COOKIE = "session_id"


def strict(set_cookie):
    """Wrap ``set_cookie`` of a response."""

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


def post_load():
    """Called by Odoo once it has loaded this addon."""
    for cls in (http.FutureResponse, http._Response):
        cls.set_cookie = strict(cls.set_cookie)
