from odoo import models

from .saas_setup_known import KNOWN


class SaasSetupStep(models.Model):
    """What a step offers to do; the page knows three sorts of buttons.

    ``call`` runs a method, and follows the action that it returns; ``form`` opens a
    record in a dialog, and goes on with the step once it is saved; ``menu`` leaves the
    page for another one.
    """

    _inherit = "saas.setup.step"

    def _get_buttons(self, state):
        """Return the buttons, the one that brings the step forward first."""
        self.ensure_one()
        make = getattr(self, f"_get_{self.code}_buttons", None)
        buttons = make(state) if make else self._get_record_buttons(state)
        if self.code not in self.LIVE and state != "checking":
            buttons += [self._call(self.env._("Check Again"), "action_check")]
        return buttons

    def _call(self, label, method, record=None):
        record = record or self
        return {
            "kind": "call",
            "label": label,
            "model": record._name,
            "method": method,
            "id": record.id,
        }

    def _form(self, label, record, *, view=None, **defaults):
        return {
            "kind": "form",
            "label": label,
            "model": record._name,
            "id": record.id,
            "view": self.env.ref(view).id if view else False,
            "context": {f"default_{name}": value for name, value in defaults.items()},
        }

    def _menu(self, label, action):
        return {"kind": "menu", "label": label, "action": action}

    def _show(self, record):
        return {
            "type": "ir.actions.act_window",
            "res_model": record._name,
            "res_id": record.id,
            "views": [(False, "form")],
        }

    def _get_use_button(self):
        """Return what takes over all that the stack knows of itself, if it does."""
        return [self._call(self.env._("Use This One"), "action_use_known")]

    def _get_record_buttons(self, state):
        if self.code not in KNOWN:
            return []
        model = self.env[KNOWN[self.code]]
        record = model.search([], limit=1)
        if record:
            return [self._form(self.env._("Open “%s”", record.name), record)]
        buttons = self._get_use_button() if self._describe_known() else []
        label = self.env._("Enter Another") if buttons else self.env._("Enter It")
        return [*buttons, self._form(label, model)]

    def _get_server_buttons(self, state):
        if self._find_server() or self._why_no_server() == "server_missing":
            return self._get_record_buttons(state)
        return []

    def _get_certificate_buttons(self, state):
        proxy = self.env["saas.proxy"].search([], limit=1)
        return [self._form(self.env._("Open “%s”", proxy.name), proxy)] if proxy else []

    def _get_mail_buttons(self, state):
        if not self.env.user.has_group("base.group_system"):
            return self._get_test_mail_button(state)
        server = self._find_mail_server().sudo(False)
        company = self.env.company
        label = self.env._("Open “%s”", server.name) if server else None
        form = self._form(label or self.env._("Add a Mail Server"), server)
        buttons = [form, *self._get_test_mail_button(state)]
        if server and not company.email:
            buttons.insert(0, self._form(self.env._("Open Your Company"), company))
        return buttons

    def _get_test_mail_button(self, state):
        if state != "ok":
            return []
        if not self.env.user.email:
            label = self.env._("Enter Your Own E-Mail")
            return [self._form(label, self.env.user.partner_id)]
        return [
            self._call(self.env._("Send a Test Mail to Me"), "action_send_test_mail")
        ]

    def _get_plan_buttons(self, state):
        plan = self._find_plan()
        if not plan:
            image = self.env["saas.image"].search([], limit=1)
            if not image and self._describe_known():
                return self._get_use_button()
            return [self._get_new_plan_button(image)]
        buttons = [self._form(self.env._("Open “%s”", plan.name), plan)]
        if state in ("missing", "failed") and self._find_server():
            label = self.env._("Build It")
            buttons.insert(0, self._call(label, "action_build_template"))
        return buttons

    def _get_new_plan_button(self, image):
        return self._form(
            self.env._("Make the First Plan"),
            self.env["saas.plan"],
            view="saas.saas_plan_view_form_first",
            name=self.env._("Basic"),
            image_id=image.id,
        )

    def _get_tenant_buttons(self, state):
        tenant = self._find_tenant()
        if not tenant:
            if self._look_plan()["state"] != "ok":
                return []
            return [
                self._form(
                    self.env._("Make the First Tenant"),
                    tenant,
                    view="saas.saas_tenant_view_form_first",
                    plan_id=self._find_plan().id,
                )
            ]
        buttons = [self._menu(self.env._("Open Its Form"), self._show(tenant))]
        if tenant.state == "running":
            label = self.env._("Open “%s”", tenant.name)
            buttons.insert(0, self._call(label, "action_login", tenant))
        elif tenant.state in ("draft", "failed"):
            label = self.env._("Provision")
            buttons.insert(0, self._call(label, "action_provision", tenant))
        return buttons
