from odoo import models
from odoo.http import request

from odoo.addons.bus.websocket import wsrequest

from ..const import CHANNEL, SESSION_KEY


class IrWebsocket(models.AbstractModel):
    _inherit = "ir.websocket"

    def _build_bus_channel_list(self, channels):
        """Let a browser follow the sign-ups that began in it, and no others."""
        own = (request or wsrequest).session.get(SESSION_KEY, [])
        signups = self.env["saas.signup"]
        asked = [name for name in channels if str(name).startswith(CHANNEL)]
        for token in (name.removeprefix(CHANNEL) for name in asked):
            if token in own:
                signups |= signups._find_by_token(token)
        others = [name for name in channels if name not in asked]
        return super()._build_bus_channel_list([*others, *signups])
