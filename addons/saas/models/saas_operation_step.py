from odoo import api, fields, models

from ..const import OPERATION_STATES


class SaasOperationStep(models.Model):
    """One step of an operation: what ran, how long, and what came of it."""

    _name = "saas.operation.step"
    _description = "Operation Step"
    _order = "operation_id, sequence"

    operation_id = fields.Many2one(
        "saas.operation", string="Operation", required=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="operation_id.company_id", store=True)
    sequence = fields.Integer(required=True)
    name = fields.Char(required=True)
    label = fields.Char(compute="_compute_label")
    state = fields.Selection(
        selection=list(OPERATION_STATES.items()), default="pending", required=True
    )
    message = fields.Char(groups="saas.group_viewer")
    date_start = fields.Datetime()
    duration = fields.Float(string="Seconds", digits=(12, 3))

    _operation_index = models.Index("(operation_id, sequence)")

    @api.depends("name")
    @api.depends_context("lang")
    def _compute_label(self):
        labels = self._get_labels()
        for step in self:
            step.label = labels.get(step.name, step.name)

    @api.model
    def _get_labels(self):
        """Return what people read for each step's name."""
        return {
            "build_place": self.env._("Check the image"),
            "build_start": self.env._("Create the database"),
            "build_wait": self.env._("Install Odoo"),
            "seal": self.env._("Close the template"),
            "discard_files": self.env._("Remove the files"),
            "discard_database": self.env._("Remove the database"),
            "place": self.env._("Choose a server"),
            "template": self.env._("Wait for the template"),
            "files": self.env._("Copy the files"),
            "closed_role": self.env._("Create the database role"),
            "database": self.env._("Clone the database"),
            "open": self.env._("Let it into its database"),
            "identity": self.env._("Personalise"),
            "route": self.env._("Lead the address to it"),
            "container": self.env._("Start the container"),
            "ready": self.env._("Wait until it answers"),
            "lead": self.env._("Lead its addresses as they are now"),
            "address": self.env._("Tell it its address"),
            "unroute": self.env._("Close the address"),
            "page": self.env._("Say at its address why it does not run"),
            "stop": self.env._("Stop the container"),
            "doze": self.env._("Have the first request wake it"),
            "pause": self.env._("Pause the container"),
            "rest": self.env._("Stop the container of who sleeps"),
            "read_log": self.env._("Read the log"),
            "put_away": self.env._("Look that its last copy is proven"),
            "remove_container": self.env._("Remove container and files"),
            "remove_database": self.env._("Drop the database"),
            "remove_role": self.env._("Drop the database role"),
            "release": self.env._("Give back the place"),
            "forget": self.env._("Destroy the key"),
        }
