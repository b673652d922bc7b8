import json
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, HttpCase, tagged
from odoo.tools import mute_logger

from odoo.addons.saas.const import KINDS
from odoo.addons.saas.engine.driver import Phase
from odoo.addons.saas.models import saas_tenant_steps
from odoo.addons.saas.tests.common import new_user

from ..models import saas_store
from .common import BackupCommon

QUIET = mute_logger(
    "odoo.addons.saas.models.saas_operation",
    "odoo.addons.saas_backup.models.saas_tenant",
)


class ArchiveCommon(BackupCommon):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.host = self.tenant._get_host()

    def setUp(self):
        super().setUp()
        self.patch(saas_tenant_steps, "READY_SECONDS", 0.05)

    def end_period(self):
        """Let the time be over in which it could be taken back."""
        self.tenant.sudo().erase_on = fields.Datetime.now() - timedelta(seconds=1)
        self.env["saas.operation"]._cron_tick()
        self.run_operations()

    def run_on(self, key):
        """Have the tasks of that key run on and on, and nobody wait for their end."""
        self.patch(saas_store, "SHORT", timedelta(0))
        self.patch(saas_store, "WAIT_SECONDS", 0)
        self.driver.outcomes[key] = None

    def delete(self, erase_now=False):
        self.tenant.with_user(self.manager).action_delete(erase_now=erase_now)
        self.run_operations()

    def archive(self):
        operation = self.tenant.with_user(self.manager).action_archive()
        self.run_operations()
        return operation

    def take_back(self):
        operation = self.tenant.with_user(self.operator).action_resume()
        self.run_operations()
        return operation

    def find_jobs(self):
        return [job["command"] for job in self.driver.jobs]

    def assertNothingOnServer(self, tenant):
        self.assertNotIn(tenant.uid, self.driver.containers)
        self.assertNotIn(tenant.uid, self.driver.state)
        self.assertNotIn(tenant.uid, self.databases.list_databases())
        self.assertNotIn(tenant.uid, self.databases.list_roles())
        self.assertNotIn(tenant.uid, self.routes.list_routes())
        self.assertEqual(tenant.slot, -1)
        self.assertTrue(all(tenant.drill_ids.mapped("removed")))

    def assertRuns(self, tenant):
        self.assertEqual(tenant.state, "running", tenant.state_message)
        self.assertEqual(self.driver.observe(tenant.uid).phase, Phase.RUNNING)
        self.assertEqual(self.databases.databases[tenant.uid].owner, tenant.uid)
        self.assertIn(tenant.uid, self.routes.list_routes())
        self.assertFalse(tenant.erase_on or tenant.archived_on)


@tagged("post_install", "-at_install")
class TestArchive(ArchiveCommon):
    # === THE WAY OUT === #

    def test_after_its_grace_nothing_is_left_but_a_proven_copy_and_the_key(self):
        self.delete()
        self.assertEqual(self.tenant.state, "deleting")
        self.end_period()
        self.assertEqual(self.tenant.state, "archived", self.tenant.state_message)
        self.assertNothingOnServer(self.tenant)
        copy = self.tenant.archive_backup_id
        self.assertEqual((copy.state, copy.drill_state), ("done", "passed"))
        self.assertIn(copy.name, self.driver.store[self.tenant.uid])
        self.assertTrue(self.tenant.data_key_sealed)
        days = (self.tenant.erase_on - fields.Datetime.now()).days
        self.assertIn(days, (self.plan.archive_days - 1, self.plan.archive_days))

    def test_the_last_copy_is_of_what_it_is_when_it_has_stopped(self):
        seen = []
        start_task = self.driver.start_task

        def watch(uid, task):
            seen.append((task.key, self.driver.observe(self.tenant.uid).phase))
            start_task(uid, task)

        self.patch(self.driver, "start_task", watch)
        self.archive()
        self.assertEqual(self.tenant.state, "archived")
        self.assertEqual({phase for _key, phase in seen}, {Phase.STOPPED})

    def test_after_its_time_in_the_archive_it_is_erased(self):
        self.delete()
        self.end_period()
        self.end_period()
        self.assertEqual(self.tenant.state, "deleted")
        self.assertNotIn(self.tenant.uid, self.driver.store)
        self.assertFalse(self.tenant.data_key_sealed)
        self.assertNothingOnServer(self.tenant)

    def test_before_its_time_in_the_archive_is_over_it_is_left_alone(self):
        self.archive()
        self.env["saas.operation"]._cron_tick()
        self.env["saas.server"]._cron_resync()
        self.run_operations()
        self.assertEqual(self.tenant.state, "archived")
        self.assertNothingOnServer(self.tenant)
        self.assertFalse(self.server.orphans)

    def test_its_name_stays_its_own_until_it_is_erased_and_rests_then(self):
        self.archive()
        self.assertFalse(self.tenant.domain_ids.released_on)
        self.delete(erase_now=True)
        self.assertTrue(self.tenant.domain_ids.released_on)

    def test_a_copy_that_was_proven_since_the_last_change_is_enough(self):
        self.create_backup(self.tenant).action_drill()
        self.run_operations()
        proven = self.tenant.backup_ids
        self.driver.unchanged = True
        self.archive()
        self.assertEqual(self.tenant.state, "archived")
        self.assertEqual(self.tenant.archive_backup_id, proven)
        self.assertEqual(self.find_jobs().count("boot"), 1)

    def test_what_never_ran_is_erased_at_once(self):
        draft = self.create_tenant("beta")
        draft.with_user(self.manager).action_delete()
        self.run_operations()
        self.assertEqual(draft.state, "deleted")
        self.assertFalse(draft.erasure_ids)
        with self.assertRaisesRegex(UserError, "“Archive” is not possible"):
            self.create_tenant("gamma").with_user(self.manager).action_archive()

    def test_where_the_plan_keeps_no_archive_it_is_erased_after_its_grace(self):
        self.plan.archive_days = 0
        with self.assertRaisesRegex(UserError, "keeps nothing in the archive"):
            self.tenant.with_user(self.manager).action_archive()
        self.delete()
        self.end_period()
        self.assertEqual(self.tenant.state, "deleted")

    def test_without_a_store_nobody_archives(self):
        self.store.active = False
        with self.assertRaisesRegex(UserError, "no store for its last copy"):
            self.tenant.with_user(self.manager).action_archive()
        self.assertEqual(self.tenant.state, "running")

    def test_in_its_grace_it_says_until_when_it_can_be_taken_back(self):
        self.plan.write({"grace_days": 3, "archive_days": 40})
        self.delete()
        until = fields.Date.today() + timedelta(days=43)
        self.assertIn(f"taken back until {until}", self.tenant.state_message)

    def test_only_managers_archive(self):
        with self.assertRaises(AccessError):
            self.tenant.with_user(self.operator).action_archive()

    def test_asking_twice_gives_the_operation_that_is_under_way(self):
        tenant = self.tenant.with_user(self.manager)
        self.assertEqual(tenant.action_archive(), tenant.action_archive())

    # === REFUSED WITHOUT A PROVEN COPY === #

    def assertNotArchived(self, operation, message):
        self.assertEqual(operation.state, "refused")
        self.assertIn(message, operation.message)
        self.assertEqual(self.tenant.state, "deleting")
        self.assertIn(self.tenant.uid, self.driver.state)
        self.assertIn(self.tenant.uid, self.databases.list_databases())
        items = self.env["saas.dashboard"].with_user(self.manager).get_data()["items"]
        told = [item for item in items if item["subject"] == "alfa"]
        self.assertEqual(
            (told[0]["label"], told[0]["message"]),
            ("Archive: refused", operation.message),
        )

    @QUIET
    def test_without_a_copy_nothing_is_removed_and_the_dashboard_says_so(self):
        self.driver.faults["backup"] = [("full", 1)]
        operation = self.archive()
        self.assertNotArchived(operation, "there is no proven copy of it. It is full.")
        self.assertEqual(self.tenant.archive_backup_id.state, "failed")

    @QUIET
    def test_without_a_proof_nothing_is_removed_and_the_dashboard_says_so(self):
        self.driver.faults["boot"] = [("login", 1)]
        operation = self.archive()
        self.assertNotArchived(operation, "there is no proven copy of it. It is login.")
        self.assertEqual(self.tenant.archive_backup_id.drill_state, "failed")
        self.assertTrue(all(self.tenant.drill_ids.mapped("removed")))

    @QUIET
    def test_without_a_store_nothing_is_removed_and_the_dashboard_says_so(self):
        self.store.active = False
        self.delete()
        self.end_period()
        operation = self.tenant.last_operation_id
        self.assertNotArchived(operation, "there is no store for its last copy")

    @QUIET
    def test_it_is_asked_for_again_hours_after_it_was_refused(self):
        self.driver.faults["boot"] = [("login", 1)]
        refused = self.archive()
        self.env["saas.operation"]._cron_tick()
        self.run_operations()
        self.assertEqual(self.tenant.last_operation_id, refused)
        refused.sudo().date_done -= timedelta(hours=7)
        self.env["saas.operation"]._cron_tick()
        self.run_operations()
        self.assertEqual(self.tenant.state, "archived")

    @QUIET
    def test_staff_can_try_again_at_once(self):
        self.driver.faults["boot"] = [("login", 1)]
        self.archive().with_user(self.manager).action_retry()
        self.run_operations()
        self.assertEqual(self.tenant.state, "archived")

    @QUIET
    def test_whoever_takes_it_back_does_not_wait_for_its_last_copy(self):
        self.run_on("boot")
        operation = self.tenant.with_user(self.manager).action_archive()
        self.assertTrue(self.run_once(operation))
        self.assertEqual(operation.state, "running")
        self.take_back()
        self.assertEqual((operation.state, operation.reason), ("refused", "in_use"))
        self.assertRuns(self.tenant)
        self.assertTrue(all(self.tenant.drill_ids.mapped("removed")))

    # === WHAT IS KEPT === #

    def test_the_last_copy_is_never_removed_nor_pruned(self):
        self.archive()
        copy = self.tenant.archive_backup_id
        with self.assertRaisesRegex(UserError, "all that is left of its tenant"):
            copy.action_remove()
        self.assertTrue(copy._make_copy().held)
        self.take_back()
        self.assertFalse(copy._make_copy().held)

    def test_there_is_nothing_to_copy_in_the_archive_and_its_copy_can_be_tried(self):
        self.archive()
        with self.assertRaisesRegex(UserError, "nothing to back up"):
            self.tenant.action_backup()
        operation = self.tenant.archive_backup_id.action_drill()
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertNothingOnServer(self.tenant)

    def test_its_copy_is_read_daily_in_the_archive_too(self):
        self.archive()
        self.tenant.sudo().verify_on = fields.Datetime.now()
        self.env["saas.tenant"]._cron_verify()
        self.run_operations()
        self.assertEqual(self.find_jobs()[-1], "verify")
        self.assertTrue(self.tenant.archive_backup_id.verified_on)
        self.assertNothingOnServer(self.tenant)

    def test_who_reads_its_copy_removes_nothing_of_what_is_brought_back(self):
        self.archive()
        self.assertTrue(self.tenant._is_left_archived())
        self.tenant.action_resume()
        self.assertFalse(self.tenant._is_left_archived())

    # === AND BACK === #

    def test_it_comes_back_from_the_store_under_the_same_address(self):
        self.archive()
        operation = self.take_back()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertRuns(self.tenant)
        self.assertEqual(self.tenant._get_host(), self.host)
        job = [job for job in self.driver.jobs if job["command"] == "restore"][-1]
        self.assertEqual(job["backup"], self.tenant.archive_backup_id.name)

    def test_it_comes_back_from_a_bucket_where_there_is_room(self):
        self.store.active = False
        bucket = {"name": "Bucket", "kind": "s3", "bucket": "copies"}
        self.env["saas.store"].create(
            {**bucket, "access_key": "planted", "secret_key": "planted-secret"}
        )
        self.archive()
        self.server.draining = True
        other_database = self.database_server.copy({"name": "Other"})
        other = self.server.copy(
            {
                "name": "Other",
                "draining": False,
                "database_server_id": other_database.id,
            }
        )
        self.take_back()
        self.assertRuns(self.tenant)
        self.assertEqual(self.tenant.server_id, other)
        self.assertEqual(self.tenant.database_server_id, other_database)

    def test_it_comes_back_from_a_directory_where_that_lies(self):
        self.archive()
        self.server.copy({"name": "Roomy", "max_tenants": 1000})
        self.take_back()
        self.assertRuns(self.tenant)
        self.assertEqual(self.tenant.server_id, self.server)

    def test_a_chosen_copy_comes_back_by_a_restore(self):
        first = self.create_backup(self.tenant)
        self.archive()
        operation = self.tenant.action_restore(first.id)
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertRuns(self.tenant)
        job = [job for job in self.driver.jobs if job["command"] == "restore"][-1]
        self.assertEqual(job["backup"], first.name)

    def test_another_copy_waits_its_turn(self):
        first = self.create_backup(self.tenant)
        self.archive()
        operation = self.tenant.action_resume()
        self.assertEqual(self.tenant.action_resume(), operation)
        with self.assertRaisesRegex(UserError, "being restored now"):
            self.tenant.action_restore(first.id)

    def test_it_can_be_archived_and_brought_back_again(self):
        for _time in range(2):
            self.archive()
            self.assertEqual(self.tenant.state, "archived")
            self.take_back()
            self.assertRuns(self.tenant)

    def test_what_holds_it_back_holds_it_in_the_archive_too(self):
        self.tenant.sudo().hold_ids = [
            fields.Command.create({"kind": "unpaid", "reason": "Invoice 7 is due"})
        ]
        self.archive()
        with self.assertRaisesRegex(UserError, "Invoice 7 is due"):
            self.tenant.with_user(self.operator).action_resume()
        self.assertEqual(self.tenant.state, "archived")

    @QUIET
    def test_one_that_does_not_come_back_stays_archived_and_is_not_erased(self):
        self.archive()
        self.driver.faults["restore"] = [("damaged", 1)]
        operation = self.take_back()
        self.assertEqual((operation.state, operation.reason), ("refused", "damaged"))
        self.assertEqual(self.tenant.state, "archived")
        self.assertEqual(self.tenant.state_message, operation.message)
        self.assertNothingOnServer(self.tenant)
        self.env["saas.operation"]._cron_tick()
        self.env["saas.server"]._cron_resync()
        self.run_operations()
        self.assertEqual(self.tenant.state, "archived")
        self.assertFalse(self.tenant.erase_on)
        operation.with_user(self.operator).action_retry()
        self.run_operations()
        self.assertRuns(self.tenant)

    @QUIET
    def test_one_that_is_erased_on_its_way_back_is_erased(self):
        self.archive()
        operation = self.tenant.action_resume()
        self.run_on("restore")
        self.assertTrue(self.run_once(operation))
        self.driver.delete_task(self.tenant.uid, "restore")
        del self.driver.outcomes["restore"]
        self.delete(erase_now=True)
        self.assertEqual((operation.state, operation.reason), ("refused", "superseded"))
        self.assertEqual(self.tenant.state, "deleted", self.tenant.state_message)
        self.assertNothingOnServer(self.tenant)
        self.assertNotIn(self.tenant.uid, self.driver.store)

    def test_one_that_is_being_erased_cannot_be_taken_back(self):
        self.archive()
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        with self.assertRaisesRegex(UserError, "too late"):
            self.tenant.action_resume()

    # === FROM LISTS === #

    def test_many_are_archived_by_the_dialog_that_deletes(self):
        beta, draft = self.create_running_tenant("beta"), self.create_tenant("gamma")
        tenants = self.tenant | beta | draft
        form = Form(
            self.env["saas.tenant.delete"]
            .with_user(self.manager)
            .with_context(active_ids=tenants.ids)
        )
        form.archive_now = True
        action = form.save().action_delete()
        batch = self.env["saas.batch"].browse(action["res_id"])
        self.run_operations()
        self.assertEqual((self.tenant | beta).mapped("state"), ["archived"] * 2)
        self.assertEqual((batch.done_count, batch.failed_count), (2, 1))
        self.assertIn("“Archive” is not possible", batch.troubled_line_ids.message)
        action = (self.tenant | beta)._start_batch("resume")
        self.run_operations()
        self.assertEqual((self.tenant | beta).mapped("state"), ["running"] * 2)

    def test_one_is_archived_by_the_dialog_that_deletes(self):
        self.delete()
        wizard = self.env["saas.tenant.delete"].with_user(self.manager)
        wizard.create({"tenant_ids": self.tenant, "archive_now": True}).action_delete()
        self.run_operations()
        self.assertEqual(self.tenant.state, "archived")

    # === CRASHES === #

    def run_with_kills(self, operation):
        """Die after each step was done and before that is recorded, and each time
        after it is recorded; the next worker goes on.
        """
        model = self.env.registry["saas.operation"]
        killed = set()

        def die_once(_operation, step, moment):
            if (step.name, moment) not in killed and step.operation_id == operation:
                killed.add((step.name, moment))
                raise KeyboardInterrupt

        self.patch(model, "_pass_fail_point", die_once)
        for _try in range(60):
            try:
                self.run_operations()
                break
            except KeyboardInterrupt:
                continue
        self.assertEqual(operation.state, "done", operation.message)
        self.assertEqual(len(killed), 2 * len(operation.step_ids))

    def test_killed_at_any_step_of_archiving_it_ends_the_same(self):
        operation = self.tenant.with_user(self.manager).action_archive()
        self.run_with_kills(operation)
        self.assertEqual(operation.step_ids.mapped("name"), [*KINDS["archive"].steps])
        self.assertEqual(self.tenant.state, "archived")
        self.assertNothingOnServer(self.tenant)
        self.assertEqual(len(self.tenant.backup_ids), 1)
        self.assertEqual(self.tenant.backup_ids.drill_state, "passed")
        self.assertFalse(self.driver.tasks)

    def test_killed_at_any_step_of_the_way_back_it_ends_the_same(self):
        self.archive()
        self.run_with_kills(self.tenant.action_resume())
        self.assertRuns(self.tenant)
        self.assertFalse(self.driver.tasks)

    def test_killed_at_any_step_of_erasing_it_ends_with_one_certificate(self):
        self.archive()
        tenant = self.tenant.with_user(self.manager)
        self.run_with_kills(tenant.action_delete(erase_now=True))
        self.assertEqual(self.tenant.state, "deleted")
        self.assertNothingOnServer(self.tenant)
        self.assertEqual(len(self.tenant.erasure_ids), 1)
        self.assertNotIn(self.tenant.uid, self.driver.store)


@tagged("post_install", "-at_install")
class TestErasure(ArchiveCommon, HttpCase):
    """What was erased can be shown to whoever asks."""

    def erase(self):
        self.archive()
        self.end_period()
        self.assertEqual(self.tenant.state, "deleted", self.tenant.state_message)
        self.env.flush_all()
        return self.tenant.erasure_ids

    def read_content(self, erasure):
        return json.loads(erasure.content)

    def test_an_erasure_is_certified_with_what_went_when_and_by_what(self):
        erasure = self.erase()
        says = self.read_content(erasure)
        erase = self.tenant.operation_ids.filtered(lambda o: o.kind == "erase")
        self.assertEqual(says["certificate"], erasure.name)
        self.assertRegex(erasure.name, r"^ER\d{6}$")
        self.assertEqual(says["operation"], erase.name)
        self.assertEqual((says["tenant"], says["customer"]), ("alfa", "Alfa Ltd"))
        self.assertEqual((says["addresses"], says["copies"]), (self.host, 1))
        moments = [value for name, value in says.items() if name.endswith("_on")]
        self.assertEqual(len(moments), 8)
        for moment in moments:
            self.assertRegex(moment, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")
        self.assertTrue(erasure._is_authentic())
        self.assertEqual(says["locked_until_date"], "")

    def test_an_erasure_at_once_is_certified_too(self):
        self.delete(erase_now=True)
        says = self.read_content(self.tenant.erasure_ids)
        self.assertEqual((says["archived_on"], says["copies"]), ("", 0))

    def test_the_certificate_says_what_object_lock_keeps(self):
        self.archive()
        self.store.write({"lock_mode": "COMPLIANCE", "lock_days": 40})
        self.end_period()
        copy = self.tenant.archive_backup_id
        until = fields.Datetime.to_string(copy.date + timedelta(days=40))
        signed = self.tenant.erasure_ids._get_signed_values()
        self.assertEqual(signed["locked_until_date"], f"{until} UTC")

    def test_whoever_has_the_link_sees_that_it_is_authentic(self):
        erasure = self.erase()
        path = f"/saas/verify/{erasure.access_token}"
        answer = self.url_open(path)
        self.assertEqual(answer.status_code, 200)
        for text in ("Authentic.", erasure.name, "alfa", "erased for good"):
            self.assertIn(text, answer.text)
        erasure.content = erasure.content.replace("alfa", "beta")
        self.env.flush_all()
        self.assertIn("Not authentic.", self.url_open(path).text)

    @mute_logger("odoo.addons.saas_backup.models.saas_certificate_mixin")
    def test_without_a_key_to_sign_with_it_is_erased_all_the_same(self):
        path = self.keys / "certificate_key"
        self.addCleanup(path.write_bytes, path.read_bytes())
        path.write_bytes(b"")
        erasure = self.erase()
        self.assertFalse(erasure.signature)
        self.assertIn("could not be signed", self.render(erasure))

    def render(self, erasure):
        report = self.env["ir.actions.report"]
        return report._render_qweb_html("saas_backup.report_erasure", erasure.ids)[
            0
        ].decode()

    def test_the_document_has_signature_and_link(self):
        erasure = self.erase()
        text = self.render(erasure)
        for part in (erasure.name, erasure.signature, erasure.verify_url):
            self.assertIn(part, text)

    def test_the_customer_finds_it_on_the_portal_and_strangers_do_not(self):
        erasure = self.erase()
        for login, parent in (("ann", self.customer), ("bob", False)):
            user = new_user(
                self.env, login, groups="base.group_portal", password=f"{login}-1234"
            )
            user.partner_id.parent_id = parent
        path = f"/my/backups/erasure/{erasure.id}"
        self.authenticate("ann", "ann-1234")
        self.assertIn(path, self.url_open("/my/backups").text)
        self.assertIn(erasure.name, self.url_open(path).text)
        paper = self.url_open(f"{path}?report_type=pdf&download=1")
        self.assertEqual(paper.headers["Content-Type"], "application/pdf")
        self.authenticate("bob", "bob-1234")
        self.assertNotIn(path, self.url_open("/my/backups").text)
        self.assertEqual(self.url_open(path).status_code, 404)

    def test_the_page_of_an_archived_tenant_says_what_is_left(self):
        self.archive()
        user = new_user(
            self.env, "ann", groups="base.group_portal", password="ann-1234"
        )
        user.partner_id.parent_id = self.customer
        self.authenticate("ann", "ann-1234")
        page = self.url_open(f"/my/backups/{self.tenant.id}")
        self.assertIn("It is in the archive", page.text)
        self.assertNotIn("Make a copy now", page.text)

    def test_nobody_writes_certificates(self):
        erasure = self.erase()
        for user in (self.viewer, self.manager):
            self.assertTrue(erasure.with_user(user).name)
            with self.assertRaises(AccessError):
                erasure.with_user(user).date = fields.Datetime.now()
            with self.assertRaises(AccessError):
                erasure.with_user(user).unlink()
