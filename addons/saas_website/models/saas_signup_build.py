from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain
from odoo.tools import mute_logger

from odoo.addons.saas.const import TROUBLED, UNFINISHED

from ..const import WAITING

RETRIES_AN_HOUR = 5


class SaasSignup(models.Model):
    """From the proved address to the running tenant."""

    _inherit = "saas.signup"

    def _claim(self, name):
        """Take the name and have the tenant built; return why not, False if done.

        The unique host name decides who was first; who was not chooses another. It
        comes before all that takes time, so that those who wait for the first do not
        keep that one waiting.
        """
        self.ensure_one()
        self.lock_for_update()
        if self.state != "confirmed" or self.tenant_id:
            return self.env._("This sign-up has its tenant already.")
        error = self.env["saas.tenant"]._explain_name(name)
        if error:
            return error
        try:
            with self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
                domain = self._reserve(name)
        except (UniqueViolation, ValidationError):
            return self.env._("“%s” is taken. Please choose another address.", name)
        if not self.partner_id:
            self._attach_customer()
        tenant = self._create_tenant(name, domain)
        self.write({"name": name, "tenant_id": tenant.id})
        self._start_waiting()
        return False

    def _reserve(self, name):
        host = self.env["saas.tenant"].new({"name": name})._make_host()
        return self.env["saas.domain"].sudo().create({"name": host})

    def _create_tenant(self, name, domain):
        tenants = self.env["saas.tenant"].with_user(self.user_id.id or SUPERUSER_ID)
        values = {
            "name": name,
            "domain_ids": [fields.Command.link(domain.id)],
            "partner_id": self.partner_id.commercial_partner_id.id,
            "plan_id": self.plan_id.id,
            "company_id": self.company_id.id,
            "lang": self.lang,
        }
        if self.country_id:  # otherwise the customer's own
            values["country_id"] = self.country_id.id
        return tenants.sudo().create(values)

    # === QUEUE === #

    @api.model
    def _start_waiting(self):
        """Start as many of those that wait as may be built at once, first come first.

        A unique index on the places keeps the limit, whoever starts at this moment.
        """
        signups = self.sudo()
        for signup in signups.search(WAITING, order="date_confirmed, id", limit=50):
            if not signup.try_lock_for_update():
                continue
            if not signup._take_slot():
                return
            signup.state = "building"
            owner = signup.user_id.id or SUPERUSER_ID
            signup.tenant_id.with_user(owner).sudo().action_provision()

    def _take_slot(self):
        limit = self._get_limit("building")
        if not limit:
            return True
        taken = set(self.search([("slot", ">=", 0)]).mapped("slot"))
        for slot in sorted(set(range(limit)) - taken):
            try:
                with self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
                    self.slot = slot
            except UniqueViolation:
                self.invalidate_recordset(["slot"])
                continue
            return True
        return False

    def _get_place(self):
        """Return the place in the queue, 1 for who is next, 0 where nobody waits."""
        self.ensure_one()
        if self.state != "confirmed" or not self.tenant_id:
            return 0
        before = Domain("date_confirmed", "<", self.date_confirmed) | (
            Domain("date_confirmed", "=", self.date_confirmed)
            & Domain("id", "<", self.id)
        )
        return self.search_count(WAITING & before) + 1

    # === OUTCOME === #

    @api.model
    def _provision_ended(self, operation):
        """Called when an operation that provisions has come to its end."""
        tenant = operation.tenant_id
        signup = self.sudo().search([("tenant_id", "=", tenant.id)], limit=1)
        if not signup:
            return
        signup._follow_tenant()
        if signup.state == "failed":
            signup._tell_staff(operation)
        self._start_waiting()

    def _follow_tenant(self):
        """Let the sign-up say what became of its tenant."""
        self.ensure_one()
        tenant = self.tenant_id
        if tenant.provisioned_on:
            if self.state != "done":
                self.write({"state": "done", "slot": -1})
                self._mail("ready", link=self._get_portal_link())
        elif tenant.last_operation_id.state in TROUBLED:
            self.write({"state": "failed", "slot": -1})
            if not self.date_failed:
                self.date_failed = fields.Datetime.now()
                self._mail("failed", link=self._get_portal_link())

    def _get_portal_link(self):
        """Return the address of the tenant's page at the customer's portal."""
        parameters = self.env["ir.config_parameter"].sudo()
        base_url = parameters.get_param("web.base.url").rstrip("/")
        return f"{base_url}/my/tenants/{self.tenant_id.id}"

    def _tell_staff(self, operation):
        tenant = self.tenant_id
        tenant.activity_schedule(
            "mail.mail_activity_data_warning",
            summary=self.env._("A customer waits: the tenant was not built"),
            note=operation.message or "",
            user_id=self._get_responsible().id,
        )

    @api.model
    def _get_responsible(self):
        parameters = self.env["ir.config_parameter"].sudo()
        user_id = parameters.get_param("saas_website.responsible_id")
        user = self.env["res.users"].browse(int(user_id or 0)).exists()
        if user.active:
            return user
        managers = self.env.ref("saas.group_manager").sudo().all_user_ids
        people = managers.filtered(lambda u: u.active and u.id != SUPERUSER_ID)
        return people.sorted("id")[:1] or self.env.ref("base.user_root")

    def _is_retry_allowed(self):
        """Count one more try; what failed five times within an hour can wait."""
        return self.env["saas.rate"]._allow(
            "retry", str(self.id), RETRIES_AN_HOUR, timedelta(hours=1)
        )

    def _retry(self):
        """Have a failed tenant built again; return whether there was one to build."""
        self.ensure_one()
        self.lock_for_update()
        if self.state != "failed" or self.tenant_id.state != "failed":
            return False
        # It waits its turn like everybody else, at the place that it had.
        self.state = "confirmed"
        self.tenant_id.activity_feedback(["mail.mail_activity_data_warning"])
        self._start_waiting()
        return True

    # === PROGRESS === #

    def write(self, vals):
        result = super().write(vals)
        if "state" in vals:
            # Only what is being built is followed by anybody.
            self.filtered("tenant_id")._push()
        return result

    def _push(self):
        """Tell the browsers that follow to look: nothing is said but that."""
        self._bus_send("saas.signup/progress", None)

    def _get_phases(self):
        """Return what a visitor reads of the operation: a label for several steps."""
        return (
            (self.env._("Preparing"), ("place", "template")),
            (self.env._("Creating your database"), ("closed_role", "database")),
            (self.env._("Making it yours"), ("identity", "files", "open")),
            (self.env._("Setting up your address"), ("route",)),
            (self.env._("Starting Odoo"), ("container",)),
            (self.env._("Checking that it answers"), ("ready",)),
        )

    def _get_progress(self):
        """Return what the progress page shows, from committed steps only."""
        self.ensure_one()
        operation = self.tenant_id.operation_ids.filtered(
            lambda o: o.kind == "provision"
        )[:1]
        states = {step.name: step.state for step in operation.step_ids}
        steps = [
            {"label": label, "state": self._merge([states.get(n) for n in step_names])}
            for label, step_names in self._get_phases()
        ]
        done = sum(state == "done" for state in states.values())
        return {
            "state": self.state,
            "title": self._get_title(),
            "place": self._get_place(),
            "percent": round(100 * done / len(states)) if states else 0,
            "steps": steps,
        }

    @api.model
    def _merge(self, states):
        """Return one state for several steps."""
        if all(state == "done" for state in states):
            return "done"
        if any(state in TROUBLED for state in states):
            return "failed"
        started = {state for state in states if state} - {UNFINISHED[0]}
        return "running" if started else "pending"

    def _get_host_name(self):
        """Return the address that the visitor chose, without a scheme."""
        self.ensure_one()
        tenant = self.tenant_id or self.tenant_id.new({"name": self.name})
        return tenant._get_host() or tenant._make_host()

    def _explain_expiry(self):
        """Return how long the code that was mailed last is good for."""
        self.ensure_one()
        left = self.code_expiry - fields.Datetime.now()
        minutes = -(-int(left.total_seconds()) // 60)
        if minutes <= 0:
            return self.env._("It is too old by now: send another one.")
        if minutes == 1:
            return self.env._("It is good for 1 more minute.")
        return self.env._("It is good for %s minutes.", str(minutes))

    def _get_title(self):
        """Return what the progress page says first."""
        self.ensure_one()
        if self.state == "done":
            return self.env._("Your Odoo is ready")
        if self.state == "failed":
            return self.env._("Something went wrong")
        return self._explain_place() or self.env._("Building your Odoo…")

    def _explain_place(self):
        """Return the place in the queue in words; empty where nobody waits."""
        place = self._get_place()
        return self.env._("Your place in the queue: %s", str(place)) if place else ""
