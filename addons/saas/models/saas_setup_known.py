import json

from odoo import api, models
from odoo.exceptions import UserError

PARAMETER = "saas.stack"

KNOWN = {
    "database_server": "saas.database.server",
    "proxy": "saas.proxy",
    "server": "saas.server",
    "image_19": "saas.image",
}
"""What the set-up of a stack may tell about itself, and the models of it."""


class SaasSetupStep(models.Model):
    """What the stack knows of itself, so that nobody has to enter it by hand.

    The stack's set-up and the page make the same records by the same method.
    """

    _inherit = "saas.setup.step"

    @api.model
    def _set_known(self, known):
        """Remember what the stack knows of itself: values by name, never a secret."""
        value = json.dumps(known, sort_keys=True)
        parameters = self.env["ir.config_parameter"].sudo()
        if parameters.get_param(PARAMETER) != value:
            parameters.set_param(PARAMETER, value)

    @api.model
    def _get_known(self):
        parameters = self.env["ir.config_parameter"].sudo()
        return json.loads(parameters.get_param(PARAMETER) or "{}")

    @api.model
    def _find_known(self, name):
        """Return the record that was made from what is known, or none."""
        record = self.env.ref(f"__setup__.{name}", raise_if_not_found=False)
        return record or self.env[KNOWN[name]]

    @api.model
    def _ensure_known(self, name):
        """Return the record of what is known, made or brought to it."""
        record = self._find_known(name)
        values = self._get_known().get(name)
        if not values:
            raise UserError(
                self.env._(
                    "This stack has told nothing about itself: enter it by hand."
                )
            )
        if not record:
            extra = self._prepare_known_server() if name == "server" else {}
            record = self.env[KNOWN[name]].create({**values, **extra})
            self.env["ir.model.data"].sudo()._update_xmlids(
                [{"xml_id": f"__setup__.{name}", "record": record, "noupdate": True}]
            )
            return record
        current = record.read(list(values), load=False)[0]
        changed = {key: value for key, value in values.items() if current[key] != value}
        if changed:
            record.write(changed)
        return record

    def _prepare_known_server(self):
        proxy = self.env["saas.proxy"].search([], limit=1)
        database_server = self.env["saas.database.server"].search(
            [("owner_tenant_id", "=", False)], limit=1
        )
        if not (proxy and database_server):
            raise UserError(
                self.env._("First set up the database server and the proxy.")
            )
        return {"proxy_id": proxy.id, "database_server_id": database_server.id}

    def _is_known_role(self, database_server):
        """Whether the stack's own password belongs to what the record says now.

        Nobody gets that password by writing another address into the record.
        """
        values = self._get_known().get("database_server", {})
        return database_server == self._find_known("database_server") and all(
            database_server[name] == values.get(name)
            for name in ("host", "port", "user")
        )

    # === ON THE PAGE === #

    def _get_known_name(self):
        return "image_19" if self.code == "plan" else self.code

    def _describe_known(self):
        """Return what would be used, as (name of the field, value)."""
        name = self._get_known_name()
        values = self._get_known().get(name)
        if not values or self._find_known(name):
            return []
        model = self.env[KNOWN[name]]
        columns = model.fields_get(list(values), ["string", "selection"])
        return [
            [columns[key]["string"], self._present(columns[key], value)]
            for key, value in values.items()
            if key in columns and value
        ]

    def _present(self, column, value):
        choices = dict(column.get("selection") or [])
        return str(choices.get(value, value))
