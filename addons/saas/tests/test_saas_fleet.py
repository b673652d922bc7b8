from odoo import fields
from odoo.tests import tagged
from odoo.tools import SQL

from ..engine.driver import Limits, Phase, TenantSpec
from ..engine.proxy import Route
from .common import IMAGE, SaasCommon

TENANTS = 300
LIMITS = Limits(memory=2**29, cpus=1.0)


@tagged("post_install", "-at_install")
class TestFleet(SaasCommon):
    """What many cost of whom nobody needs anything; ``make bench`` measures more."""

    def prepare(self):
        super().prepare()
        first = self.create_running_tenant()
        # Recording an operation for each would take minutes.
        self.env.flush_all()
        columns = [
            name
            for name, field in first._fields.items()
            if field.store and field.column_type and name not in ("id", "uid", "slot")
        ]
        names = SQL(", ").join(SQL.identifier(name) for name in columns)
        self.env.cr.execute(
            SQL(
                "INSERT INTO saas_tenant (uid, slot, %s)"
                " SELECT 't' || lpad(n::text, 12, '0'), n, %s"
                " FROM saas_tenant, generate_series(1, %s) AS n WHERE id = %s",
                names,
                names,
                TENANTS - 1,
                first.id,
            )
        )
        self.env.cr.execute(
            "INSERT INTO saas_domain (name, main, tenant_id, company_id)"
            " SELECT uid || '.odoo.localhost', true, id, company_id FROM saas_tenant"
            " WHERE slot > 0"
        )
        self.env.invalidate_all()
        self.tenants = self.server.tenant_ids
        for tenant in self.tenants - first:
            spec = TenantSpec(tenant.uid, IMAGE, tenant.slot, "", LIMITS, {})
            self.driver.ensure(spec)
            self.databases.ensure_role(tenant.uid, "", 5)
            host = f"{tenant.uid}.odoo.localhost"
            self.routes.put_route(Route(tenant.uid, (host,), http="http://192.0.2.1"))
        self.env["saas.server"]._cron_resync()
        self.env.flush_all()
        self.env.invalidate_all()

    def sweep(self):
        self.env["saas.operation"]._cron_tick()
        self.env["saas.server"]._cron_observe()

    def test_a_fleet_that_needs_nobody_costs_five_questions_a_minute(self):
        self.sweep()
        self.env.invalidate_all()
        with self.assertQueryCount(5):
            self.sweep()

    def test_the_questions_of_a_comparison_do_not_grow_with_the_fleet(self):
        operations = self.env["saas.operation"].search_count([])
        self.env["saas.server"]._cron_resync()
        self.env.flush_all()
        self.env.invalidate_all()
        with self.assertQueryCount(40):
            self.env["saas.server"]._cron_resync()
            self.env.flush_all()
        self.assertEqual(self.env["saas.operation"].search_count([]), operations)
        self.assertEqual(set(self.tenants.mapped("state")), {"running"})
        self.assertFalse(self.server.orphans)

    def test_of_a_fleet_those_few_are_mended_that_need_it(self):
        lost, stopped, closed = self.tenants[100:103]
        self.driver.lose(lost.uid)
        self.driver.set_phase(stopped.uid, Phase.STOPPED)
        self.routes.delete_route(closed.uid)
        self.env["saas.server"]._cron_resync()
        due = self.env["saas.operation"].search([("state", "=", "pending")])
        self.assertEqual(due.tenant_id, lost | stopped | closed)
        self.assertEqual(set(due.mapped("kind")), {"start"})

    def test_what_is_due_is_found_among_all(self):
        tenant = self.tenants[150]
        operation = tenant.action_restart()
        operation.sudo().date_next = fields.Datetime.subtract(
            fields.Datetime.now(), minutes=1
        )
        due = [chore.method for chore in self.env["saas.operation"]._find_due()]
        self.assertEqual(due, ["_enqueue_overdue"])
