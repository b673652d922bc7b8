import urllib.parse

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools.mail import email_normalize

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ..engine import setup_checks
from ..engine.errors import EngineError
from .saas_setup_sentences import SENTENCES


class SaasSetupStep(models.Model):
    """How each step looks: by the tests that servers and proxies have, and its own."""

    _inherit = "saas.setup.step"

    def _check(self):
        """Look, and remember what was found; the worker does it."""
        self.ensure_one()
        try:
            self._write_finding(getattr(self, f"_look_{self.code}")())
        except EngineError as error:
            self._write_check("failed", error.message)

    def _write_finding(self, finding):
        self._write_check(finding["state"], finding["found"])
        self.sudo().remedy = finding["remedy"]

    @api.model
    def _say(self, reason, facts, **more):
        """Return a finding in the reader's words."""
        state, *sentences = SENTENCES[reason]
        found, remedy = (self.env._(text) if text else "" for text in sentences)
        return {
            "state": state,
            "found": found % facts,
            "remedy": remedy % facts,
            **more,
        }

    # === NAMES === #

    @api.model
    def _get_master_host(self):
        base_url = self.env["ir.config_parameter"].sudo().get_param("web.base.url")
        return urllib.parse.urlsplit(base_url or "").hostname or ""

    def _look_domain(self):
        domain, master = self._get_tenant_domain(), self._get_master_host()
        named = setup_checks.check_domain(domain, master)
        if not named.reason.startswith("ok"):
            return self._say(named.reason, named.facts)
        found = setup_checks.check_dns(domain, master)
        if not found.reason.startswith("ok"):
            return self._say(found.reason, found.facts)
        reason = named.reason if found.reason == "ok" else found.reason
        return self._say(f"domain_{reason}", {**named.facts, **found.facts})

    # === INFRASTRUCTURE === #

    def _look_database_server(self):
        servers = self.env["saas.database.server"].search(
            [("owner_tenant_id", "=", False)]
        )
        for server in servers.filtered(self._is_known_role):
            server._adopt_password()
        return self._look_at(servers) or self._say("database_server_missing", {})

    def _look_server(self):
        servers = self.env["saas.server"].search([])
        return self._look_at(servers) or self._say(self._why_no_server(), {})

    def _why_no_server(self):
        if not self.env["saas.server"]._fields["driver"].get_values(self.env):
            return "server_no_driver"
        if not (
            self.env["saas.proxy"].search_count([], limit=1)
            and self.env["saas.database.server"].search_count([], limit=1)
        ):
            return "server_too_early"
        return "server_missing"

    def _look_at(self, records):
        """Return the finding about the first that does not work, else about the first.

        What they share on the other side is made where it is missing, as it is by
        *Prepare*.
        """
        for record in records:
            record._prepare()
            if record.check_state != "ok":
                facts = {"name": record.name, "cause": record.check_message}
                return self._say("record_failed", facts)
        if not records:
            return None
        facts = {"name": records[0].name, "message": records[0].check_message}
        return self._say("record_ok", facts)

    def _look_proxy(self):
        proxies = self.env["saas.proxy"].search([])
        if not proxies:
            return self._say("proxy_missing", {})
        finding = self._look_at(proxies)
        if finding["state"] != "ok":
            return finding
        domain, master = self._get_tenant_domain(), self._get_master_host()
        if not setup_checks.check_domain(domain, master).reason.startswith("ok"):
            return self._say("proxy_no_domain", {})
        for proxy in proxies:
            found = setup_checks.check_proxy(
                proxy._get_proxy(), proxy.internal_url, domain, master
            )
            facts = {**found.facts, "name": proxy.name}
            if found.reason != "ok":
                return self._say(found.reason, facts)
        return self._say("proxy_ok", facts)

    def _look_certificate(self):
        proxies = self.env["saas.proxy"].search([])
        domain, master = self._get_tenant_domain(), self._get_master_host()
        if not proxies:
            return self._say("certificate_no_proxy", {})
        plain = proxies.filtered(lambda proxy: proxy.scheme == "http")[:1]
        if plain:
            port = "" if plain.port == 80 else f":{plain.port}"
            return self._say("certificate_none", {"domain": domain, "port": port})
        findings = [
            proxy._look_at_host(host)
            for proxy in proxies
            for host in proxy._get_certified_hosts()
        ]
        # The worst first: what does not work, then what will not for long.
        found = min(
            findings, key=lambda f: (f.reason.startswith("ok"), f.reason == "ok")
        )
        reason = found.reason
        if reason.startswith("ok"):
            reason = f"certificate_{reason}"
        return self._say(reason, {**found.facts, "domain": domain, "master": master})

    # === MAIL === #

    def _look_mail(self):
        server = self._find_mail_server()
        company = self.env.company
        if not server:
            return self._say("mail_missing", {})
        if not email_normalize(company.email or ""):
            return self._say("mail_no_sender", {"company": company.name})
        try:
            server.with_context(saas_test_from=company.email).test_smtp_connection()
        except UserError as error:
            return self._say("mail_failed", {"name": server.name, "cause": error})
        return self._say("mail_ok", {"name": server.name, "sender": company.email})

    @api.model
    def _find_mail_server(self):
        # Its password is nobody's business, and is not read here.
        return self.env["ir.mail_server"].sudo().search([], limit=1)

    def _send_test_mail(self):
        """Send a mail to the user who asked; the worker does it."""
        finding = self._look_mail()
        if finding["state"] == "ok":
            finding = self._deliver_test_mail()
        self._write_finding(finding)

    def _deliver_test_mail(self):
        receiver = self.env.user.email
        server = self._find_mail_server()
        mail = self.env["mail.mail"].sudo()
        mail = mail.create(
            {
                "subject": self.env._("A test mail of your SaaS master"),
                "body_html": self.env._("<p>Mail works: this one has come.</p>"),
                "email_from": self.env.company.email_formatted,
                "email_to": receiver,
                "mail_server_id": server.id,
            }
        )
        facts = {"name": server.name, "receiver": receiver}
        try:
            mail.send(raise_exception=True)
        except MailDeliveryException as error:
            return self._say("mail_failed", {**facts, "cause": error})
        return self._say("mail_sent", facts)

    # === PLAN AND TENANT: nothing outside is asked === #

    def _look_plan(self):
        plan, server = self._find_plan(), self._find_server()
        if not plan:
            images = self.env["saas.image"].search_count([], limit=1)
            return self._say("plan_missing" if images else "plan_no_image", {})
        facts = {
            "plan": plan.name,
            "image": plan.image_id.name,
            "modules": ", ".join(plan._get_modules()),
        }
        if not server:
            return self._say("plan_no_server", facts)
        template = self._find_template(plan, server)
        if template.state == "ready":
            return self._say("plan_ok", facts)
        under_way = self._find_under_way(template.operation_ids)
        if under_way:
            return self._say("plan_building", facts, operation=under_way)
        last = template.operation_ids.filtered(lambda o: o.kind == "build")[:1]
        if last.message:
            return self._say(
                "plan_failed", {**facts, "cause": last.message}, operation=last
            )
        return self._say("plan_unbuilt", facts)

    def _find_tenant(self):
        """Return a tenant that runs, else the oldest that is not gone."""
        tenants = self.env["saas.tenant"]
        return tenants.search([("state", "=", "running")], order="id", limit=1) or (
            tenants.search([("state", "!=", "deleted")], order="id", limit=1)
        )

    def _look_tenant(self):
        tenant = self._find_tenant()
        if not tenant:
            ready = self._look_plan()["state"] == "ok"
            return self._say("tenant_missing" if ready else "tenant_too_early", {})
        facts = {
            "tenant": tenant.name,
            "url": tenant.url,
            "cause": tenant.state_message,
            "state": tenant._get_state_label().lower(),
        }
        reasons = {
            "running": "tenant_ok",
            "draft": "tenant_draft",
            "provisioning": "tenant_provisioning",
            "failed": "tenant_failed",
        }
        provision = tenant.operation_ids.filtered(lambda o: o.kind == "provision")[:1]
        reason = reasons.get(tenant.state, "tenant_down")
        return self._say(reason, facts, operation=provision)
