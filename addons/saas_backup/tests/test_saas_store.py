from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import file_open

from odoo.addons.saas.engine.errors import RefusedError

from ..wizard.saas_recovery_key import PARAMETER
from .common import BackupCommon


@tagged("post_install", "-at_install")
class TestStoreKeys(BackupCommon):
    """The daily test of the stores: does what lies there open again?"""

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.create_backup(self.tenant)
        self.driver.jobs.clear()

    def get_items(self):
        data = self.env["saas.dashboard"].with_user(self.viewer).get_data()
        return [item for item in data["items"] if item["model"] == "saas.store"]

    def test_every_store_is_tested_daily_with_the_keys_in_it(self):
        self.env["saas.store"]._cron_check()
        self.assertEqual(self.store.check_state, "checking")
        self.store._check()
        self.assertEqual(self.store.check_state, "ok", self.store.check_message)
        self.assertIn("keys that open: 1, sealed anew: 0", self.store.check_message)
        self.assertFalse(self.driver.tasks)
        self.assertFalse(self.get_items())

    def test_the_store_is_told_the_keys_and_for_whom_to_seal_them(self):
        self.env["ir.config_parameter"].set_param(PARAMETER, "ab" * 32)
        self.store._check()
        [seal] = [job for job in self.driver.jobs if job["command"] == "seal"]
        self.assertEqual(
            seal["keys"], {self.tenant.uid: self.tenant._derive_secret("backup")}
        )
        self.assertEqual(seal["recovery_public"], "ab" * 32)

    def test_a_wrong_key_in_the_store_is_told_on_the_dashboard(self):
        self.driver.wrong_keys = {self.tenant.uid: "They were made with another key."}
        self.store._check()
        self.assertEqual(self.store.check_state, "failed")
        [item] = self.get_items()
        self.assertIn(self.tenant.name, item["message"])
        self.assertIn("They were made with another key.", item["message"])
        self.assertEqual(item["level"], "danger")

    def test_a_data_key_that_the_worker_cannot_open_is_told(self):
        delta = self.create_running_tenant("delta")
        self.create_backup(delta)
        self.tenant.data_key_sealed = self.tenant._seal("x")[:-8] + "AAAAAAA="
        self.store._check()
        self.assertEqual(self.store.check_state, "failed")
        self.assertIn("cannot be opened", self.store.check_message)
        self.assertIn(self.tenant.name, self.store.check_message)
        self.assertNotIn("delta", self.store.check_message)
        [seal] = [job for job in self.driver.jobs if job["command"] == "seal"]
        self.assertEqual(list(seal["keys"]), [delta.uid])

    def test_an_erased_tenant_has_no_keys_to_look_at(self):
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.store._check()
        self.assertEqual(self.store.check_message, "Room for 12 GiB")

    def test_what_was_erased_cannot_be_restored(self):
        backup = self.tenant.backup_ids
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        with self.assertRaisesRegex(RefusedError, "was destroyed when it was erased"):
            backup._derive_key()
        with self.assertRaisesRegex(UserError, "is not a good one"):
            self.tenant.action_restore(backup.id, "beta")

    def test_a_neutralised_copy_of_the_master_reaches_no_store(self):
        bucket = self.env["saas.store"].create(
            {
                "name": "Bucket",
                "kind": "s3",
                "bucket": "copies",
                "endpoint": "https://s3.example.com",
                "access_key": "planted",
                "secret_key": "planted-secret",
            }
        )
        stores = self.store | bucket
        self.env.flush_all()
        with file_open("saas_backup/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.assertFalse(any(stores.mapped("active")))
        self.assertFalse(bucket.secret_key_sealed or bucket.access_key)
        self.assertEqual(bucket.endpoint, "http://neutralized.invalid")
        self.assertEqual(set(stores.mapped("bucket")), {"neutralized"})
        self.assertEqual(set(stores.mapped("volume")), {"neutralized"})
        names = self.env["ir.model.data"].search(
            [("module", "=", "saas_backup"), ("model", "=", "ir.cron")]
        )
        crons = self.env["ir.cron"].browse(names.mapped("res_id"))
        self.assertGreaterEqual(len(crons), 3)
        self.assertFalse(any(crons.mapped("active")))
