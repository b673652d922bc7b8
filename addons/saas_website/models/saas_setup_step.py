from odoo import models


class SaasSetupStep(models.Model):
    """The first plan is for visitors, too: else their page would stay empty."""

    _inherit = "saas.setup.step"

    def _get_new_plan_button(self, image):
        button = super()._get_new_plan_button(image)
        button["context"]["default_is_published"] = True
        return button

    def _look_plan(self):
        finding = super()._look_plan()
        if finding["state"] == "ok":
            finding["remedy"] = (
                self.env._("Visitors can choose it on your page of plans.")
                if self._find_plan().is_published
                else self.env._(
                    "No visitor sees it yet. Publish it, and it is on your page of "
                    "plans."
                )
            )
        return finding

    def _get_plan_buttons(self, state):
        buttons = super()._get_plan_buttons(state)
        if state != "ok":
            return buttons
        if not self._find_plan().is_published:
            label = self.env._("Publish It")
            return [self._call(label, "action_publish_plan"), *buttons]
        page = {"type": "ir.actions.act_url", "url": "/plans", "target": "new"}
        return [*buttons, self._menu(self.env._("See the Page of Plans"), page)]

    def action_publish_plan(self):
        """Show the first plan to the visitors of the website."""
        self.ensure_one()
        self.check_access("write")
        self._find_plan().is_published = True
        return True
