from odoo import models


class IrUiMenu(models.Model):
    _inherit = "ir.ui.menu"

    def _load_menus_blacklist(self):
        """Begin with the set-up while there is no server, and never after."""
        hidden = super()._load_menus_blacklist()
        servers = self.env["saas.server"].sudo().with_context(active_test=False)
        if servers.search_count([], limit=1):
            hidden.append(self.env.ref("saas.saas_setup_first_menu").id)
        return hidden
