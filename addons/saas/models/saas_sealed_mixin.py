import os
from pathlib import Path

from odoo import api, models
from odoo.exceptions import UserError

from ..engine import sealing
from ..engine.errors import RefusedError

WEB_KEYS = Path(os.environ.get("SAAS_WEB_KEYS", "/run/saas/web"))
WORKER_KEYS = Path(os.environ.get("SAAS_WORKER_KEYS", "/run/saas/worker"))


class SaasSealedMixin(models.AbstractModel):
    """Secrets that every process can write and only the worker can read."""

    _name = "saas.sealed.mixin"
    _description = "Sealed Secrets"

    @api.model
    def _seal(self, value):
        """Return the value sealed with the worker's public key."""
        try:
            return sealing.seal(self._read_key(WEB_KEYS / "sealing_public"), value)
        except RefusedError as error:
            raise UserError(error.message) from error

    @api.model
    def _unseal(self, sealed):
        """Return a sealed value in clear; works in the worker alone.

        :raise RefusedError: ``key_missing``, ``key_invalid`` or ``key_wrong``
        """
        return sealing.unseal(self._read_worker_key("sealing_private"), sealed or "")

    @api.model
    def _read_worker_key(self, name):
        return self._read_key(WORKER_KEYS / name)

    @api.model
    def _read_key(self, path):
        """Return a key file's text, empty where this process may not have it."""
        try:
            return path.read_text().strip()
        except OSError:
            return ""
