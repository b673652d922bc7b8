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


class SaasCertificateMixin(models.AbstractModel):
    """What was done, signed by the worker, for anybody to check."""

    _name = "saas.certificate.mixin"
    _description = "Certificate"

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
        for record in self.sudo():
            record.verify_url = record.access_token and (
                f"{record.get_base_url()}{PUBLIC_PATH}/{record.access_token}"
            )

    def _get_report_base_filename(self):
        """Return what the portal calls its PDF, as the report's own name does."""
        self.ensure_one()
        return f"Certificate {self.name}"

    def _prepare_content(self):
        """Return what is signed, whole numbers and strings by name.

        :return: ``certificate`` and ``tenant`` among others
        """
        raise NotImplementedError(self._name)

    def _get_verify_template(self):
        """Return the template that shows the signed values to whoever checks them."""
        raise NotImplementedError(self._name)

    def _sign(self):
        """Sign what is so; a key that is missing makes nothing undone."""
        text = certificate.write(self._prepare_content())
        mixin = self.env["saas.sealed.mixin"]
        try:
            signature = certificate.sign(
                mixin._read_worker_key("certificate_key"), text
            )
        except RefusedError as error:
            _logger.warning("certificate of %s: %s", self, error.message)
            return
        token = secrets.token_urlsafe(24)
        self.write({"content": text, "signature": signature, "access_token": token})

    # === CHECKING === #

    @api.model
    def _find_by_token(self, token):
        """Return the record whose certificate that link shows, or none."""
        records = self.sudo()
        return records.search([("access_token", "=", token)]) if token else records

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
        for name, value in values.items():
            if name.endswith(("_on", "_date")):
                values[name] = value.replace("T", " ").replace("+00:00", " UTC")
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
    return moment.replace(tzinfo=UTC).isoformat(timespec="seconds") if moment else ""
