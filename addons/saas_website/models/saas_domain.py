from odoo import models
from odoo.exceptions import UserError


class SaasDomain(models.Model):
    _inherit = "saas.domain"

    def _check_for_customer(self):
        """Have the worker look for the record; for the customer's own only."""
        if self.state != "unproved":
            raise UserError(self.env._("There is nothing to prove."))
        return self.sudo().action_check()

    def _set_main_for_customer(self):
        """Make it the address; for the customer's own only."""
        self.sudo().tenant_id._check_may_move("domains")
        return self.sudo()._set_main()

    def _remove_for_customer(self):
        """Give it up; for the customer's own only."""
        return self.sudo()._remove()
