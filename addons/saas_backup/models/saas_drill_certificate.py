import base64
import json
import logging
import secrets
from datetime import UTC

from odoo import api, fields, models
from odoo.tools.image import image_data_uri

from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas.models import saas_sealed_mixin

from ..engine import certificate

_logger = logging.getLogger(__name__)

PUBLIC_PATH = "/saas/verify"
QR_SIZE = 240


class SaasDrill(models.Model):
    """What a drill has proven, signed by the worker, for anybody to check."""

    _inherit = "saas.drill"

    content = fields.Text(
        string="Signed Text", readonly=True, copy=False, help="Word for word."
    )
    signature = fields.Char(readonly=True, copy=False, help="Ed25519, in base64.")
    # Whoever has the link sees the certificate, as whoever holds the paper does.
    access_token = fields.Char(
        readonly=True, copy=False, index=True, groups="saas.group_viewer"
    )
    verify_url = fields.Char(string="Check It At", compute="_compute_verify_url")

    @api.depends("access_token")
    def _compute_verify_url(self):
        for drill in self.sudo():
            drill.verify_url = drill.access_token and (
                f"{drill.get_base_url()}{PUBLIC_PATH}/{drill.access_token}"
            )

    def _set_result(self, state, message=False):
        result = super()._set_result(state, message)
        if state == "passed":
            self._sign()
        return result

    def _sign(self):
        """Sign what was proven; a key that is missing makes no proof worthless."""
        text = certificate.write(self._prepare_content())
        mixin = self.env["saas.sealed.mixin"]
        try:
            signature = certificate.sign(
                mixin._read_worker_key("certificate_key"), text
            )
        except RefusedError as error:
            _logger.warning("certificate %s: %s", self.name, error.message)
            return
        token = secrets.token_urlsafe(24)
        self.write({"content": text, "signature": signature, "access_token": token})

    def _prepare_content(self):
        backup, tenant = self.backup_id, self.tenant_id
        return {
            "certificate": self.name,
            "issuer": self.company_id.name,
            "customer": tenant.partner_id.commercial_partner_id.display_name,
            "tenant": tenant.name,
            "uid": tenant.uid,
            "copy": backup.name,
            "copy_date": format_moment(backup.date),
            "proven_on": format_moment(self.date_done),
            "odoo_version": self.odoo_version or "",
            "tables": self.tables,
            "rows": self.row_count,
            "files": self.files,
            "restore_milliseconds": round(self.restore_seconds * 1000),
            "start_and_login_milliseconds": round(
                (self.boot_seconds + self.login_seconds) * 1000
            ),
        }

    # === CHECKING === #

    @api.model
    def _find_by_token(self, token):
        """Return the drill whose certificate that link shows, or none."""
        drills = self.sudo()
        return drills.search([("access_token", "=", token)]) if token else drills

    @api.model
    def _get_public_key(self):
        keys = saas_sealed_mixin.WEB_KEYS
        return self.env["saas.sealed.mixin"]._read_key(keys / "certificate_public")

    def _is_authentic(self):
        """Whether the text is word for word what this master's key has signed."""
        self.ensure_one()
        try:
            return certificate.verify(
                self._get_public_key(), self.content or "", self.signature or ""
            )
        except RefusedError:
            return False

    def _get_signed_values(self):
        """Return the signed text as values, not what the records say by now."""
        values = json.loads(self.content)
        for name in ("copy_date", "proven_on"):
            values[name] = values[name].replace("T", " ").replace("+00:00", " UTC")
        return values

    def _get_key_fingerprint(self):
        try:
            return certificate.fingerprint(self._get_public_key())
        except RefusedError:
            return ""

    def _export_certificate(self):
        """Return all that is needed to check it without this master."""
        return {
            "algorithm": certificate.ALGORITHM,
            "content": self.content,
            "signature": self.signature,
            "public_key": self._get_public_key(),
        }

    def _get_qr(self):
        """Return a picture of the link, to stand in a page or on paper."""
        report = self.env["ir.actions.report"]
        picture = report.barcode("QR", self.verify_url, width=QR_SIZE, height=QR_SIZE)
        return image_data_uri(base64.b64encode(picture))


def format_moment(moment):
    return moment.replace(tzinfo=UTC).isoformat(timespec="seconds")


class SaasTenant(models.Model):
    _inherit = "saas.tenant"

    def _step_forget(self):
        # What names the customer is not to be had by a link any more.
        self.drill_ids.write({"access_token": False, "content": False})
        return super()._step_forget()
