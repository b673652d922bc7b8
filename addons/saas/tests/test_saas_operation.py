import os
from contextlib import suppress
from unittest.mock import patch

import psycopg2

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..const import KINDS, MAX_ATTEMPTS
from ..engine import fail_points
from ..engine.driver import Phase
from ..engine.errors import RetryableError
from ..engine.fake import (
    FakeDatabaseServer,
    FlakyDatabaseServer,
    FlakyDriver,
    FlakyProxy,
    LostDatabaseServer,
    LostDriver,
    NeverReadyDriver,
)
from ..models import saas_fail_points, saas_operation, saas_tenant_steps
from .common import IMAGE, SaasCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestOperation(SaasCommon):
    def prepare(self):
        super().prepare()
        # So that no other test has a template to build.
        self.first = self.create_running_tenant("first")

    def setUp(self):
        super().setUp()
        self.patch(saas_tenant_steps, "READY_SECONDS", 0.05)

    def provision(self, name="alfa"):
        tenant = self.create_tenant(name)
        return tenant, tenant.action_provision()

    def assertNothingLeft(self, tenant):
        self.assertNotIn(tenant.uid, self.driver.containers)
        self.assertNotIn(tenant.uid, self.driver.state)
        self.assertNotIn(tenant.uid, self.databases.list_databases())
        self.assertNotIn(tenant.uid, self.databases.list_roles())
        self.assertNotIn(tenant.uid, self.routes.list_routes())
        self.assertEqual(tenant.slot, -1)

    # === THE MAIN JOB === #

    def test_provisioning_ends_with_a_tenant_that_runs(self):
        tenant, operation = self.provision()
        self.assertEqual(tenant.state, "provisioning")
        self.run_operations()
        self.assertEqual(tenant.state, "running")
        self.assertEqual(operation.state, "done")
        self.assertEqual(set(operation.step_ids.mapped("state")), {"done"})
        self.assertEqual(self.driver.observe(tenant.uid).phase, Phase.RUNNING)
        self.assertEqual(self.databases.databases[tenant.uid].owner, tenant.uid)
        self.assertIn(tenant.uid, self.routes.list_routes())
        self.assertNotIn((tenant.uid, "seed"), self.driver.tasks)

    def test_the_first_tenant_has_its_template_built_and_the_second_uses_it(self):
        second, __ = self.provision("second")
        self.run_operations()
        template = self.first.template_id
        self.assertEqual(second.template_id, template)
        builds = self.env["saas.operation"].search([("kind", "=", "build")])
        self.assertEqual(
            builds.filtered(lambda b: b.template_id == template).mapped("state"),
            ["done"],
        )

    # === ASKING === #

    def test_asking_twice_gives_the_operation_that_is_under_way(self):
        tenant, operation = self.provision()
        self.assertEqual(tenant.action_provision(), operation)

    def test_asking_for_what_the_state_forbids_says_so(self):
        tenant = self.create_tenant()
        with self.assertRaisesRegex(
            UserError, "alfa is draft; “Start” is not possible"
        ):
            tenant.action_start()

    def test_another_kind_waits_until_the_first_has_finished(self):
        tenant = self.create_running_tenant()
        stop = tenant.action_stop()
        stop.sudo().state = "running"
        start = tenant.action_start()
        self.run_once(start)
        self.assertEqual(start.state, "pending")
        self.run_once(stop)
        self.run_once(start)
        self.assertEqual((stop.state, start.state), ("done", "done"))
        self.assertEqual(tenant.state, "running")

    def test_what_was_asked_last_is_what_happens(self):
        tenant = self.create_running_tenant()
        restart = tenant.action_restart()
        restart.sudo().state = "running"
        stop = tenant.action_stop()
        start = tenant.action_start()
        self.assertEqual((stop.state, stop.reason), ("cancelled", "superseded"))
        self.assertEqual(start.state, "pending")
        self.run_operations()
        self.assertEqual((tenant.state, start.state), ("running", "done"))

    def test_a_tenant_suspended_again_before_it_resumed_stays_suspended(self):
        tenant = self.create_running_tenant()
        suspend = tenant.action_suspend("Spam")
        suspend.sudo().state = "running"
        resume = tenant.action_resume()
        self.assertEqual(tenant.action_suspend("More spam"), suspend)
        self.assertEqual(resume.state, "cancelled")
        self.run_operations()
        self.assertEqual(tenant.state, "suspended")
        self.assertEqual(self.driver.observe(tenant.uid).phase, Phase.STOPPED)

    def test_a_tenant_that_is_being_erased_cannot_be_taken_back(self):
        tenant = self.create_running_tenant()
        tenant.with_user(self.manager).action_delete(erase_now=True)
        with self.assertRaisesRegex(UserError, "too late"):
            tenant.action_resume()

    @QUIET
    def test_an_old_clean_up_never_removes_a_tenant_that_runs(self):
        self.driver.images.discard(IMAGE)
        tenant, _operation = self.provision()
        self.run_operations()
        self.driver.images.add(IMAGE)
        tenant.action_provision()
        self.run_operations()
        undo = tenant.operation_ids.filtered(lambda o: o.kind == "undo")
        undo.sudo().state = "refused"
        with self.assertRaisesRegex(UserError, "Something else was asked"):
            undo.action_retry()
        undo.sudo().state = "pending"
        undo.step_ids.sudo().state = "pending"
        self.run_operations()
        self.assertEqual((undo.state, undo.reason), ("refused", "in_use"))
        self.assertIn(tenant.uid, self.driver.containers)
        self.assertIn(tenant.uid, self.databases.databases)

    @QUIET
    def test_erasing_goes_on_until_it_succeeds_and_staff_see_that_it_does_not(self):
        tenant = self.create_running_tenant()
        erase = tenant.with_user(self.manager).action_delete(erase_now=True)
        self.driver = LostDriver()
        for _try in range(MAX_ATTEMPTS + 2):
            self.assertTrue(self.run_once(erase))
        self.assertEqual(erase.state, "running")
        self.assertTrue(tenant.troubled)

    def test_operations_are_numbered_and_name_their_tenant(self):
        _tenant, operation = self.provision()
        self.assertRegex(operation.display_name, r"^OP\d{6} Provision alfa$")

    def test_operations_are_never_deleted(self):
        _tenant, operation = self.provision()
        with self.assertRaisesRegex(UserError, "never deleted"):
            operation.unlink()

    def test_a_finished_operation_is_not_run_again(self):
        _tenant, operation = self.provision()
        self.run_operations()
        calls = len(self.driver.calls)
        self.run_once(operation)
        self.assertEqual(len(self.driver.calls), calls)

    # === FAILURES === #

    @QUIET
    def test_a_missing_image_is_refused_with_a_clear_sentence_and_nothing_is_left(self):
        self.driver.images.discard(IMAGE)
        tenant, operation = self.provision()
        self.run_operations()
        self.assertEqual(operation.state, "refused")
        self.assertEqual(operation.reason, "image_missing")
        self.assertIn(IMAGE, operation.message)
        self.assertEqual(tenant.state, "failed")
        self.assertTrue(tenant.troubled)
        self.assertEqual(tenant.state_message, operation.message)
        self.assertNothingLeft(tenant)

    @QUIET
    def test_a_failed_tenant_can_be_provisioned_when_the_cause_is_mended(self):
        self.driver.images.discard(IMAGE)
        tenant, _operation = self.provision()
        self.run_operations()
        self.driver.images.add(IMAGE)
        tenant.action_provision()
        self.run_operations()
        self.assertEqual(tenant.state, "running")

    @QUIET
    def test_a_failed_provisioning_can_be_tried_again_though_it_was_cleaned_up(self):
        self.driver.images.discard(IMAGE)
        tenant, operation = self.provision()
        self.run_operations()
        self.driver.images.add(IMAGE)
        again = operation.with_user(self.operator).action_retry()
        self.run_operations()
        self.assertEqual((again.kind, again.state), ("provision", "done"))
        self.assertEqual(tenant.state, "running")

    @QUIET
    def test_a_foreign_container_is_neither_adopted_nor_removed(self):
        tenant = self.create_tenant()
        self.driver.put_foreign(tenant.uid)
        operation = tenant.action_provision()
        self.run_operations()
        self.assertEqual((operation.state, operation.reason), ("refused", "foreign"))
        self.assertIn(tenant.uid, self.driver.containers)
        self.assertNotIn(tenant.uid, self.databases.list_databases())

    @QUIET
    def test_a_foreign_database_is_neither_adopted_nor_dropped(self):
        tenant = self.create_tenant()
        self.databases.put_foreign_database(tenant.uid)
        operation = tenant.action_provision()
        self.run_operations()
        self.assertEqual((operation.state, operation.reason), ("refused", "foreign"))
        self.assertIn(tenant.uid, self.databases.databases)
        self.assertNotIn(tenant.uid, self.databases.list_roles())
        self.assertNotIn(tenant.uid, self.driver.containers)

    @QUIET
    def test_a_lost_engine_is_tried_again_and_found_when_it_is_back(self):
        lost = LostDriver(images={IMAGE, "saas-toolbox"})
        lost.containers, lost.state = self.driver.containers, self.driver.state
        self.driver = lost
        tenant, operation = self.provision()
        self.assertTrue(self.run_once(operation))
        self.assertEqual(operation.state, "running")
        self.assertIn("cannot be reached", tenant.state_message)
        lost.lost = False
        self.run_operations()
        self.assertEqual(tenant.state, "running")

    @QUIET
    def test_after_its_last_try_it_fails_with_the_cause_and_cleans_up_later(self):
        self.databases = LostDatabaseServer()
        tenant, operation = self.provision()
        for _try in range(MAX_ATTEMPTS):
            self.run_once(operation)
        self.assertEqual(operation.state, "failed")
        self.assertEqual(operation.attempts, MAX_ATTEMPTS)
        self.assertEqual(tenant.state, "failed")
        self.assertIn("cannot be reached", tenant.state_message)
        self.databases = FakeDatabaseServer()
        self.run_operations()
        self.assertNothingLeft(tenant)

    @QUIET
    def test_answers_lost_on_the_way_double_nothing(self):
        template = self.env["saas.template"].search([("state", "=", "ready")])
        for late in (False, True):
            with self.subTest(late=late):
                driver = FlakyDriver(images={IMAGE, "saas-toolbox"}, late=late)
                driver.containers = self.driver.containers
                driver.state = self.driver.state
                self.driver = driver
                self.routes = FlakyProxy(late=late)
                databases = FlakyDatabaseServer(late=late)
                databases.roles = self.databases.roles
                databases.databases = self.databases.databases
                self.databases = databases
                self.patch(saas_operation, "MAX_ATTEMPTS", 40)
                tenant, operation = self.provision(f"alfa-{late}".lower())
                self.run_operations()
                self.assertEqual(operation.state, "done", operation.message)
                self.assertEqual(tenant.template_id, template)

    @QUIET
    def test_a_container_that_never_answers_fails_after_its_tries(self):
        driver = NeverReadyDriver(images={IMAGE, "saas-toolbox"})
        driver.state = self.driver.state
        self.driver = driver
        tenant, operation = self.provision()
        self.run_operations()
        self.assertEqual(operation.state, "failed")
        self.assertIn("does not answer yet", operation.message)
        self.assertNothingLeft(tenant)

    def test_an_error_nobody_foresaw_ends_the_operation_with_its_cause(self):
        _tenant, operation = self.provision()
        with QUIET:
            operation._on_job_failure("builtins.KeyError", exc_message="'secret'")
        self.assertEqual((operation.state, operation.reason), ("failed", "unexpected"))
        self.assertIn("KeyError", operation.message)
        self.assertNotIn("secret", operation.message)

    def test_the_loss_of_the_masters_database_in_a_step_ends_nothing(self):
        tenant, operation = self.provision()
        lose = patch.object(
            type(tenant), "_step_identity", side_effect=psycopg2.InterfaceError
        )
        # Odoo's assertRaises would undo what was committed.
        with lose, suppress(psycopg2.InterfaceError):
            self.run_once(operation)
        lost = self.jobs(operation)
        lost.state = "failed"
        operation._on_job_failure("psycopg2.InterfaceError", exc_message="closed")
        self.assertEqual((operation.state, operation.attempts), ("running", 1))
        self.assertIn("is tried again", tenant.state_message)
        job = self.jobs(operation) - lost
        self.assertEqual(job.state, "pending")
        self.assertTrue(job.eta)
        self.run_operations()
        self.assertEqual((operation.state, tenant.state), ("done", "running"))

    def test_a_master_without_a_database_for_long_says_so_at_last(self):
        _tenant, operation = self.provision()
        with QUIET:
            for _try in range(MAX_ATTEMPTS):
                operation._on_job_failure("psycopg2.OperationalError")
        self.assertEqual((operation.state, operation.reason), ("failed", "unexpected"))

    def jobs(self, operation):
        key = f"saas.operation:{operation.id}"
        return self.env["queue.job"].search([("identity_key", "=", key)])

    # === CRASHES === #

    def test_killed_after_or_before_recording_any_step_it_ends_the_same(self):
        for moment in ("before", "after"):
            for number, step in enumerate(KINDS["provision"].steps):
                with self.subTest(step=step, moment=moment):
                    tenant, operation = self.provision(f"n{number}-{moment}")
                    self.kill_at(operation, step, moment)
                    self.run_operations()
                    self.assertEqual(tenant.state, "running", tenant.state_message)
                    self.assertEqual(operation.state, "done")

    def test_killed_at_any_step_of_erasing_nothing_is_left(self):
        for moment in ("before", "after"):
            for number, step in enumerate(KINDS["erase"].steps):
                with self.subTest(step=step, moment=moment):
                    tenant = self.create_running_tenant(f"n{number}-{moment}")
                    erase = tenant.with_user(self.manager).action_delete(True)
                    self.kill_at(erase, step, moment)
                    self.run_operations()
                    self.assertEqual(tenant.state, "deleted")
                    self.assertNothingLeft(tenant)
                    self.assertFalse(tenant.sudo().data_key_sealed)

    def kill_at(self, operation, step, moment):
        """Stop the process dead at that point; what was not committed is gone."""

        class Killed(BaseException):
            pass

        def pass_fail_point(_operation, passed, passed_moment):
            if (passed.name, passed_moment) == (step, moment):
                raise Killed

        model = type(operation)
        with (
            patch.object(model, "_pass_fail_point", pass_fail_point),
            self.assertRaises(Killed),
        ):
            self.run_once(operation)

    def test_there_is_a_fail_point_before_and_after_all_that_a_step_changes(self):
        tenant = self.create_running_tenant()
        # What they hand out is another one while they are watched.
        for model, method in saas_fail_points.SEAMS:
            registry_class = self.env.registry[model]
            self.patch(registry_class, method, getattr(registry_class, method))
        passed = []
        self.patch(fail_points, "pass_point", passed.append)
        with patch.dict(os.environ, SAAS_FAIL_POINTS="/nowhere"):
            self.env["saas.operation"]._register_hook()
            tenant.action_stop()
            self.run_operations()
        self.assertEqual(
            passed,
            [
                f"{tenant.uid}.stop.{point}.{moment}"
                for point in ("page.put_route", "page", "stop.stop", "stop")
                for moment in ("before", "after")
            ],
        )

    def test_waiting_does_not_count_as_a_failed_try(self):
        _tenant, operation = self.provision()
        error = RetryableError("Later.", reason="not_ready", seconds=3, waiting=True)
        seconds = operation._record_error(operation.step_ids[0], error)
        self.assertEqual((seconds, operation.attempts), (3, 0))
