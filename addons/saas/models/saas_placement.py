from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ..engine.errors import RefusedError, RetryableError
from .saas_plan import MEGABYTE
from .saas_server import GIB

MEMORY_OVERCOMMIT = 4  # tenants seldom need at once what their plans allow them
DISK_FLOOR = 1  # GiB
FULL_PAUSE = timedelta(minutes=10)
TEST_PAUSE = 2  # seconds; a test ends within some, or a comparison ends it


class SaasServer(models.Model):
    """Which server takes a new tenant: the rules, and the sentence that tells why."""

    _inherit = "saas.server"

    @api.model
    def _place(self, plan, company, chosen=None, bound=False):
        """Return the server that takes a new tenant: of those that no rule leaves
        out, the one with most left of what it has least of.

        The number of queries does not grow with that of the servers.

        :param chosen: the one that somebody chose; all are looked at without it
        :param bool bound: nobody chose it, and no other one will do
        :raise RefusedError: ``no_room``
        :raise RetryableError: where one would take it and does not work
            (``unreachable``), or is being tested (``not_ready``)
        """
        servers = self.search(Domain("company_id", "in", (False, company.id)))
        if chosen:
            servers &= chosen
        if not servers:
            raise RefusedError(
                self._explain_no_server(company, chosen), reason="no_room"
            )
        groups = servers.grouped(lambda server: server._find_obstacle(plan))
        if None in groups:
            return max(groups[None], key=lambda server: server._get_left(plan))
        message = self._explain_no_room(plan, chosen, bound, groups)
        if "tested" in groups:
            raise RetryableError(
                message, reason="not_ready", seconds=TEST_PAUSE, waiting=True
            )
        if "down" in groups:
            raise RetryableError(message, reason="unreachable")
        raise RefusedError(message, reason="no_room")

    def _find_obstacle(self, plan):
        """Return the first rule that keeps a tenant of the plan away, if one does."""
        self.ensure_one()
        rules = {
            "region": not plan.region_id or plan.region_id == self.region_id,
            "labels": plan.label_ids <= self.label_ids,
            "databases": not plan.own_database or self._takes_own_databases(),
            "draining": not self.draining,
            "full": self.tenant_count < self.max_tenants,
            "memory": not self.memory or min(self._get_memory_left(plan)) >= 0,
            "disk": self._has_disk_left(),
            # The last ones: for what is down or may be one waits, if it would do
            # otherwise.
            "down": self.check_state != "failed",
            "tested": self.check_state != "checking",
        }
        return next((name for name, holds in rules.items() if not holds), None)

    def _get_left(self, plan):
        """Return which shares are left with one more such tenant, the scarcest first.

        What was never measured is not counted on.
        """
        self.ensure_one()
        return sorted(
            [
                1 - (self.tenant_count + 1) / self.max_tenants,
                *(self._get_memory_left(plan) if self.memory else (0, 0)),
                self.disk_free / self.disk if self.disk else 0,
            ]
        )

    def _get_memory_left(self, plan):
        """Return the shares of what may be promised, and of what was measured free."""
        self.ensure_one()
        factor = self._get_memory_overcommit()
        memory = plan._get_memory() * MEGABYTE / GIB
        return (
            1 - (self.memory_promised + memory) / (self.memory * factor),
            (self.memory_free - memory / factor) / self.memory,
        )

    def _has_disk_left(self):
        """Whether there is some by the last measure, and nobody met a full disk since.

        That of a database server elsewhere is known from those alone who met it.
        """
        self.ensure_one()
        if self.full_on and fields.Datetime.now() - self.full_on < FULL_PAUSE:
            return False
        return not self.disk or self.disk_free >= self._get_disk_floor()

    @api.model
    def _get_memory_overcommit(self):
        """Return how many times its memory a server may promise, by the settings."""
        parameters = self.env["ir.config_parameter"].sudo()
        return float(parameters.get_param("saas.memory_overcommit", MEMORY_OVERCOMMIT))

    @api.model
    def _get_disk_floor(self):
        """Return the GiB of disk that have to be free, by the settings."""
        parameters = self.env["ir.config_parameter"].sudo()
        return float(parameters.get_param("saas.disk_floor", DISK_FLOOR))

    # === WHY NOT === #

    @api.model
    def _explain_no_server(self, company, chosen):
        if chosen:
            return self.env._(
                "The server %s is archived, or belongs to another company. Choose "
                "another one or none.",
                chosen.name,
            )
        return self.env._(
            "There is no server for tenants of the company %s. Add one.", company.name
        )

    @api.model
    def _explain_no_room(self, plan, chosen, bound, groups):
        """Return why each of the servers was left out, and what to do."""
        facts = {
            "plan": plan.name,
            "why": ", ".join(
                servers._tell_one(obstacle)
                if len(servers) == 1
                else servers._tell_many(obstacle)
                for obstacle, servers in groups.items()
            ),
        }
        if bound:
            return self.env._(
                "The only server that will do has no room for a tenant of the plan "
                "%(plan)s: %(why)s. Change what is in the way.",
                **facts,
            )
        if chosen:
            return self.env._(
                "The chosen server has no room for a tenant of the plan %(plan)s: "
                "%(why)s. Choose another one or none, or change what is in the way.",
                **facts,
            )
        return self.env._(
            "No server has room for a tenant of the plan %(plan)s: %(why)s. Add a "
            "server, or change what is in the way.",
            **facts,
        )

    def _tell_one(self, obstacle):
        """Name the server and what keeps tenants away from it."""
        self.ensure_one()
        return {
            "region": self.env._("%s is in another region", self.name),
            "labels": self.env._("%s lacks a label of the plan", self.name),
            "databases": self.env._("%s runs no PostgreSQL for one tenant", self.name),
            "draining": self.env._("%s is draining", self.name),
            "full": self.env._("%s is full", self.name),
            "memory": self.env._("%s has too little memory left", self.name),
            "disk": self.env._("%s has too little disk left", self.name),
            "down": self.env._(
                "%(server)s does not work (%(cause)s)",
                server=self.name,
                cause=self.check_message or self.env._("Its last test failed."),
            ),
            "tested": self.env._("%s is being tested", self.name),
        }[obstacle]

    def _tell_many(self, obstacle):
        """Count the servers from which the same thing keeps tenants away."""
        count = len(self)
        return {
            "region": self.env._("%s are in another region", count),
            "labels": self.env._("%s lack a label of the plan", count),
            "databases": self.env._("%s run no PostgreSQL for one tenant", count),
            "draining": self.env._("%s are draining", count),
            "full": self.env._("%s are full", count),
            "memory": self.env._("%s have too little memory left", count),
            "disk": self.env._("%s have too little disk left", count),
            "down": self.env._("%s do not work", count),
            "tested": self.env._("%s are being tested", count),
        }[obstacle]
