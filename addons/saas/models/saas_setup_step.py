from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..const import UNFINISHED
from ..engine import setup_checks

WORKER_SECONDS = 60  # after which nobody should go on waiting for a finding


class SaasSetupStep(models.Model):
    """One thing that a new master needs, and what was found when it was looked at.

    What is set up lies in the real records; a step only remembers the last look at
    them. A step whose code stands in ``LIVE`` needs nothing from outside, and is
    looked at whenever the page is.
    """

    _name = "saas.setup.step"
    _inherit = ["saas.checked.mixin"]
    _description = "Set-Up Step"
    _order = "sequence, id"

    LIVE = ("plan", "tenant")

    name = fields.Char(required=True, translate=True)
    intro = fields.Char(translate=True, help="What it is for, in one sentence.")
    code = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    check_state = fields.Selection(selection_add=[("missing", "Missing")])
    remedy = fields.Char(readonly=True, help="How to mend what was found.")

    _code_unique = models.Constraint("UNIQUE(code)", "There is such a step already.")

    # === THE PAGE === #

    @api.model
    def get_setup(self):
        """Return all that the page shows: each step with its finding and its buttons.

        :rtype: dict
        """
        self.check_access("read")
        steps = self.search([])
        return {
            "domain": self._get_tenant_domain(),
            "steps": [step._describe() for step in steps],
            "to_check": steps.filtered(lambda step: step.code not in self.LIVE).ids,
        }

    def _describe(self):
        self.ensure_one()
        finding = self._get_finding()
        operation = finding.pop("operation", self.env["saas.operation"])
        return {
            "id": self.id,
            "code": self.code,
            "name": self.name,
            "intro": self.intro or "",
            **finding,
            "known": self._describe_known() if finding["state"] == "missing" else [],
            "buttons": self._get_buttons(finding["state"]),
            "progress": [
                {
                    "id": step.id,
                    "label": step.label,
                    "state": step.state,
                    "title": step._fields["state"].convert_to_export(step.state, step),
                    "message": step.message or "",
                    "seconds": step.duration,
                }
                for step in operation.step_ids
            ],
        }

    def _get_finding(self):
        """Return ``state``, ``found`` and ``remedy``, and the operation under way."""
        if self.code in self.LIVE:
            return getattr(self, f"_look_{self.code}")()
        waited = fields.Datetime.now() - timedelta(seconds=WORKER_SECONDS)
        if self.check_state == "checking" and self.write_date < waited:
            return self._say("worker_silent", {"seconds": WORKER_SECONDS})
        return {
            "state": self.check_state,
            "found": self.check_message or "",
            "remedy": (self.check_state != "checking" and self.remedy) or "",
        }

    # === WHAT THE PAGE ASKS FOR === #

    def action_use_known(self):
        """Take what the stack has told about itself for this step."""
        self.ensure_one()
        self.check_access("write")
        self._ensure_known(self._get_known_name())
        return self._look_again()

    def action_continue(self, record_id):
        """Go on after the page has saved a record for this step.

        :param int record_id: of the plan or tenant, where the step is about one
        """
        self.ensure_one()
        self.check_access("write")
        if self.code == "plan":
            self._build_template(self.env["saas.plan"].browse(record_id))
        elif self.code == "tenant":
            self.env["saas.tenant"].browse(record_id).action_provision()
        return self._look_again()

    def _look_again(self):
        """Look at this step, and at those that may have waited for it."""
        waiting = self.search([("check_state", "!=", "ok")]) | self
        return waiting.filtered(lambda step: step.code not in self.LIVE).action_check()

    def action_build_template(self):
        """Build what the first tenant is cloned from."""
        self.ensure_one()
        self.check_access("write")
        return self._build_template(self._find_plan())

    @api.model
    def set_tenant_domain(self, domain):
        """Set the domain under which new tenants are found, and look at it.

        :raise ValidationError: tenants cannot live there
        """
        self.check_access("write")
        domain = (domain or "").strip().lower()
        found = setup_checks.check_domain(domain, self._get_master_host())
        if not found.reason.startswith("ok"):
            said = self._say(found.reason, found.facts)
            sentences = " ".join((said["found"], said["remedy"]))
            raise ValidationError(sentences)
        # Not everybody who manages tenants may set every parameter.
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param("saas.tenant_domain", domain)
        steps = self.search([("code", "in", ("domain", "proxy", "certificate"))])
        return steps._look_again()

    def action_send_test_mail(self):
        """Have the worker send a mail to whoever asks."""
        self.ensure_one()
        self.check_access("write")
        if not self.env.user.email:
            raise UserError(
                self.env._(
                    "You have no e-mail address: enter it in your preferences first."
                )
            )
        self.sudo().write({"check_state": "checking", "check_message": False})
        self.with_delay(
            identity_key=f"{self._name}.mail:{self.env.uid}",
            description="Send a test mail",
        )._send_test_mail()
        return True

    # === HELPERS === #

    @api.model
    def _get_tenant_domain(self):
        parameters = self.env["ir.config_parameter"].sudo()
        return parameters.get_param("saas.tenant_domain", "odoo.localhost")

    @api.model
    def _find_plan(self):
        return self.env["saas.plan"].search([], limit=1)

    @api.model
    def _find_server(self):
        return self.env["saas.server"].search([], limit=1)

    def _build_template(self, plan):
        server = self._find_server()
        if not (plan and server):
            return self.env["saas.operation"]
        template = self._find_template(plan, server) or self.env[
            "saas.template"
        ]._get_or_create(
            image=plan.image_id,
            modules=plan._get_modules(),
            lang=self.env.lang or "en_US",
            server=server,
            database_server=server.database_server_id,
        )
        if template.state == "ready":
            return self.env["saas.operation"]
        return template.action_build()

    def _find_template(self, plan, server):
        """Return the best one that tenants of the plan may be cloned from there."""
        templates = self.env["saas.template"].search(
            [
                ("image_id", "=", plan.image_id.id),
                ("modules", "=", ",".join(plan._get_modules())),
                ("server_id", "=", server.id),
            ]
        )
        return templates.sorted(lambda template: template.state != "ready")[:1]

    def _find_under_way(self, operations):
        return operations.filtered(lambda o: o.state in UNFINISHED)[:1]
