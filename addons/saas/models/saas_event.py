import functools

from odoo import api, fields, models

from ..const import UNFINISHED
from ..engine.errors import EngineError
from ..engine.listener import hear_containers, hear_routes


class SaasEvent(models.Model):
    """Something happened to a tenant's container or route: a reason to look at it.

    Only ever added and removed, so that no job is in the way of who writes it down.
    """

    _name = "saas.event"
    _description = "Event"
    _log_access = False

    uid = fields.Char(string="UID", required=True)

    @api.model
    def _note(self, uids):
        """Have somebody look at these tenants soon."""
        self.create([{"uid": uid} for uid in sorted(uids)])
        self._look_soon()

    @api.model
    def _look_soon(self):
        due, _busy = self.search([])._find_tenants()
        if due:
            self.env.ref("saas.ir_cron_observe")._trigger()

    @api.model
    def _compare_soon(self):
        """Have everything compared soon, as something may have been missed."""
        self.env.ref("saas.ir_cron_resync")._trigger()

    @api.model
    def _take_tenants(self):
        """Return the tenants to look at, once.

        Where an operation is under way the event waits for its end.
        """
        events = self.search([])
        due, busy = events._find_tenants()
        waiting = set(busy.mapped("uid"))
        events.filtered(lambda event: event.uid not in waiting).unlink()
        return due

    def _find_tenants(self):
        """Return those to look at now, and those of whom something is under way."""
        tenants = self.env["saas.tenant"].search(
            [("uid", "in", self.mapped("uid")), ("slot", ">=", 0)]
        )
        busy = tenants.filtered(lambda t: t.last_operation_id.state in UNFINISHED)
        return tenants - busy, busy

    @api.model
    def _get_sources(self):
        """Return all that can be listened to, by a name for the log."""
        servers = self.env["saas.server"].search([])
        sources = {}
        for server in servers:
            driver = self._reach(server._get_driver)
            if driver and "events" in driver.capabilities():
                name = f"The server {server.name} ({server.id})"
                sources[name] = functools.partial(hear_containers, driver)
        for server in servers.proxy_id:
            if proxy := self._reach(server._get_proxy):
                name = f"The proxy {server.name} ({server.id})"
                sources[name] = functools.partial(hear_routes, proxy)
        return sources

    @api.model
    def _reach(self, get):
        """Return what it gives, None where it gives nothing: comparisons say why."""
        try:
            return get()
        except EngineError:
            return None
