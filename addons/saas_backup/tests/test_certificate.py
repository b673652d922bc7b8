import base64
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from .common import BackupCommon


@tagged("post_install", "-at_install")
class TestCertificate(BackupCommon, HttpCase):
    """What a drill has proven can be checked by whoever holds the certificate."""

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.drill = self.drill_copy()

    def drill_copy(self):
        backup = self.create_backup(self.tenant)
        backup.action_drill()
        self.run_operations()
        self.assertEqual(backup.drill_state, "passed")
        return backup.drill_ids

    def open(self, path=""):
        self.env.flush_all()
        return self.url_open(f"/saas/verify/{self.drill.access_token}{path}")

    def replace_key(self, name, content):
        """Have another key for this test."""
        path = self.keys / name
        self.addCleanup(path.write_bytes, path.read_bytes())
        path.write_bytes(content)

    def test_whoever_has_the_link_reads_what_was_proven_and_that_it_is_authentic(self):
        answer = self.open()
        self.assertEqual(answer.status_code, 200)
        for text in ("Authentic.", self.drill.name, "alfa", "Alfa Ltd"):
            self.assertIn(text, answer.text)
        self.assertNotIn("Not authentic", answer.text)
        self.assertEqual(answer.headers["X-Robots-Tag"], "noindex")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_a_changed_certificate_is_told(self):
        self.drill.content = self.drill.content.replace('"rows":11', '"rows":12')
        answer = self.open()
        self.assertIn("Not authentic.", answer.text)

    def test_a_certificate_of_another_key_is_told(self):
        self.replace_key("certificate_public", base64.b64encode(bytes(32)))
        self.assertIn("Not authentic.", self.open().text)

    def test_a_guessed_link_shows_nothing(self):
        for token in ("0", "1", str(self.drill.id), self.drill.name, "False", "x" * 32):
            answer = self.url_open(f"/saas/verify/{token}")
            self.assertEqual(answer.status_code, 404, token)
        self.assertGreaterEqual(len(self.drill.access_token), 32)
        self.assertNotEqual(self.drill_copy().access_token, self.drill.access_token)

    def test_anybody_can_check_it_without_the_master(self):
        values = self.open("/certificate.json").json()
        pem = self.url_open("/saas/certificate-key.pem")
        key = load_pem_public_key(pem.content)
        signature = base64.b64decode(values["signature"])
        key.verify(signature, values["content"].encode())
        with self.assertRaises(InvalidSignature):
            key.verify(signature, values["content"].replace("alfa", "beta").encode())
        own = Ed25519PublicKey.from_public_bytes(base64.b64decode(values["public_key"]))
        self.assertEqual(own, key)
        content = json.loads(values["content"])
        self.assertEqual(content["certificate"], self.drill.name)
        self.assertEqual((content["rows"], content["files"]), (11, 12))

    def test_what_was_signed_stays_whatever_is_renamed_since(self):
        self.customer.name = "Omega Ltd"
        answer = self.open()
        self.assertIn("Alfa Ltd", answer.text)
        self.assertNotIn("Omega Ltd", answer.text)
        self.assertIn("Authentic.", answer.text)

    def test_the_certificate_carries_its_link_as_a_picture_and_its_signature(self):
        html = self.env["ir.actions.report"]._render_qweb_html(
            "saas_backup.report_certificate", self.drill.ids
        )[0]
        text = html.decode()
        self.assertIn(self.drill.verify_url, text)
        self.assertIn("data:image/png;base64,", text)
        self.assertIn(self.drill.signature, text)

    @mute_logger("odoo.addons.saas_backup.models.saas_certificate_mixin")
    def test_a_drill_without_a_key_to_sign_with_is_a_proof_all_the_same(self):
        self.replace_key("certificate_key", b"")
        self.drill = self.drill_copy()
        self.assertEqual(self.drill.state, "passed")
        self.assertFalse(self.drill.signature)
        self.assertFalse(self.drill.verify_url)

    def test_the_link_of_an_erased_customer_shows_nothing(self):
        token = self.drill.access_token
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertEqual(self.tenant.state, "deleted")
        self.env.flush_all()
        self.assertEqual(self.url_open(f"/saas/verify/{token}").status_code, 404)
        self.assertFalse(self.drill.content)
