from odoo import fields, models

from ..engine.errors import EngineError


class SaasCheckedMixin(models.AbstractModel):
    """Something on the outside that can be asked whether it works."""

    _name = "saas.checked.mixin"
    _description = "Connection Test"

    check_state = fields.Selection(
        selection=[
            ("unknown", "Not tested"),
            ("checking", "Testing"),
            ("ok", "Works"),
            ("failed", "Does not work"),
        ],
        string="Connection",
        default="unknown",
        readonly=True,
        copy=False,
    )
    check_message = fields.Char(string="Test Result", readonly=True, copy=False)
    check_date = fields.Datetime(string="Tested On", readonly=True, copy=False)

    def action_check(self):
        """Test the connection; the worker does it, as it alone has the credentials."""
        return self._delay_check("_check")

    def action_prepare(self):
        """Make what is shared on the other side; the worker does it, and tests it."""
        return self._delay_check("_prepare")

    def _delay_check(self, method):
        self.check_access("write")
        self.sudo().write({"check_state": "checking", "check_message": False})
        for record in self:
            job = record.with_delay(
                identity_key=f"{self._name}.{method}:{record.id}",
                description=f"Test connection of {record.display_name}",
            )
            getattr(job, method)()
        return True

    def _check(self):
        self.ensure_one()
        try:
            self._write_check("ok", self._check_connection())
        except EngineError as error:
            self._write_check("failed", error.message)

    def _prepare(self):
        self.ensure_one()
        try:
            self._prepare_outside()
        except EngineError as error:
            self._write_check("failed", error.message)
        else:
            self._check()

    def _write_check(self, state, message):
        self.sudo().write(
            {
                "check_state": state,
                "check_message": message,
                "check_date": fields.Datetime.now(),
            }
        )

    def _on_check_failure(self, exc_name, exc_message, **_kwargs):
        """Called by the job queue after an error that nobody foresaw."""
        self._write_check("failed", f"{exc_name}: {exc_message}")

    def _prepare_outside(self):
        """Make what has to be there before tenants; repeatable."""

    def _check_connection(self):
        """Return one line about the other side, or raise an ``EngineError``."""
        raise NotImplementedError
