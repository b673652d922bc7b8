from odoo.exceptions import ValidationError
from odoo.tests import tagged

from .common import BackupCommon


@tagged("post_install", "-at_install")
class TestBucket(BackupCommon):
    """What a bucket is to do by itself, and what it says that it does."""

    def prepare(self):
        super().prepare()
        self.bucket = self.env["saas.store"].create(
            {
                "name": "Bucket",
                "kind": "s3",
                "bucket": "copies",
                "region": "eu-central-1",
                "access_key": "planted",
                "secret_key": "planted-secret",
            }
        )

    def apply(self, **values):
        self.bucket.write(values)
        self.bucket.with_user(self.manager).action_prepare()
        self.bucket._prepare()
        return self.bucket.bucket_message

    def test_what_is_wanted_is_written_and_shown_as_it_was_read_back(self):
        message = self.apply(
            transition_days=30,
            transition_class="GLACIER_IR",
            noncurrent_days=60,
            lock_mode="GOVERNANCE",
            lock_days=14,
        )
        self.assertEqual(self.bucket.check_state, "ok", self.bucket.check_message)
        self.assertEqual(
            message,
            "Unfinished uploads are removed after 1 days · copies move to GLACIER_IR "
            "after 30 days · old versions are removed after 60 days · Object Lock: "
            "Governance, 14 days",
        )
        [protect, check] = self.driver.jobs
        self.assertEqual(protect["object_lock"], {"mode": "GOVERNANCE", "days": 14})
        self.assertEqual(protect["lifecycle"]["noncurrent_days"], 60)
        self.assertEqual(check["command"], "check")
        self.assertFalse(self.driver.tasks)

    def test_a_lock_that_the_bucket_has_already_is_shown_and_not_touched(self):
        self.driver.locked = {"mode": "COMPLIANCE", "days": 90}
        self.assertIn("Object Lock: Compliance, 90 days", self.apply())
        self.assertNotIn("object_lock", self.driver.jobs[0])

    def test_a_bucket_that_refuses_says_why(self):
        self.driver.faults["protect"] = [("object_lock", 1)]
        self.assertFalse(self.apply(lock_mode="COMPLIANCE", lock_days=30))
        self.assertEqual(self.bucket.check_state, "failed")
        self.assertEqual(self.bucket.check_message, "It is object_lock.")

    def test_what_was_changed_since_is_not_shown_as_applied(self):
        self.assertTrue(self.apply())
        self.bucket.noncurrent_days = 90
        self.assertFalse(self.bucket.bucket_message)

    def test_copies_never_move_to_where_they_cannot_be_read(self):
        for storage_class in ("GLACIER", "deep_archive"):
            with self.assertRaisesRegex(ValidationError, "cannot be read at once"):
                self.bucket.write(
                    {"transition_days": 30, "transition_class": storage_class}
                )

    def test_half_a_wish_is_refused(self):
        for values, message in (
            ({"transition_days": 30}, "after how many days and to which class"),
            ({"transition_class": "GLACIER_IR"}, "after how many days and to which"),
            ({"lock_mode": "GOVERNANCE"}, "needs the number of days"),
            ({"abandon_days": 0}, "stay for a day at least"),
            ({"noncurrent_days": -1}, "no number of days is negative"),
        ):
            with self.subTest(values=values):
                with self.assertRaisesRegex(ValidationError, message):
                    self.bucket.write(values)
                self.env.invalidate_all(flush=False)
