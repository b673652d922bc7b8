from datetime import timedelta

from odoo import api, fields, models


class SaasCertifiedMixin(models.AbstractModel):
    """Something whose HTTPS certificate is looked at, as visitors get it."""

    _name = "saas.certified.mixin"
    _description = "HTTPS Certificate"

    certificate_state = fields.Selection(
        selection=[
            ("ok", "Good"),
            ("expiring", "Ends Soon"),
            ("failed", "Not Good"),
        ],
        string="Certificate",
        readonly=True,
        copy=False,
    )
    certificate_message = fields.Char(
        string="About the Certificate", readonly=True, copy=False
    )
    certificate_until = fields.Date(
        string="Certificate Ends On", readonly=True, copy=False
    )
    certificate_date = fields.Datetime(
        string="Certificate Looked At On", readonly=True, copy=False
    )

    def _look_at_certificates(self, proxy, hosts):
        """Remember the worst that visitors of these hosts get."""
        self.ensure_one()
        findings = [proxy._look_at_host(host) for host in hosts]
        self._write_certificate(findings and self._find_worst(findings))

    @api.model
    def _find_worst(self, findings):
        """Return what does not work, else what will not for long."""
        return min(
            findings,
            key=lambda found: (
                found.reason.startswith("ok"),
                found.facts.get("days", 0),
            ),
        )

    def _write_certificate(self, found):
        """Store what was found; nothing where there is none of its own."""
        vals = {
            "certificate_state": False,
            "certificate_message": False,
            "certificate_until": False,
            "certificate_date": fields.Datetime.now(),
        }
        if found:
            days = found.facts.get("days")
            if days is not None:
                vals["certificate_until"] = fields.Date.today() + timedelta(days=days)
            states = {"ok": "ok", "ok_expiring": "expiring"}
            vals["certificate_state"] = states.get(found.reason, "failed")
            vals["certificate_message"] = self._describe_certificate(found)
        self.sudo().write(vals)

    @api.model
    def _describe_certificate(self, found):
        """Return what is wrong and how to mend it, in one or two sentences."""
        if found.reason == "ok":
            return False
        steps = self.env["saas.setup.step"]
        ours = {
            "domain": steps._get_tenant_domain(),
            "master": steps._get_master_host(),
        }
        reason = found.reason
        if reason.startswith("ok"):
            reason = f"certificate_{reason}"
        said = steps._say(reason, {**found.facts, **ours})
        return " ".join(filter(None, (said["found"], said["remedy"])))
