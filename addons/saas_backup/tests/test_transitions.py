import copy
from contextlib import contextmanager

from psycopg2.errors import UniqueViolation

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.saas.const import (
    CLEAN_UPS,
    KINDS,
    SUPERSEDABLE,
    TENANT_STATES,
    TRANSITIONS,
)
from odoo.addons.saas.models import saas_tenant_steps
from odoo.addons.saas.models.saas_operation import SUBJECTS
from odoo.addons.saas.tests.common import IMAGE

from .common import BackupCommon

QUIET = mute_logger(
    "odoo.addons.saas.models.saas_operation", "odoo.addons.saas_backup.models"
)


class TableCase(BackupCommon):
    """The tables with what all addons add to them."""

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant().with_user(self.manager)
        self.backup = self.create_backup(self.tenant)

    def setUp(self):
        super().setUp()
        self.patch(saas_tenant_steps, "READY_SECONDS", 0.05)

    @contextmanager
    def taken_back(self):
        """Nothing of what happens in here has happened afterwards."""
        fakes = (self.driver, self.routes, self.databases)
        before = copy.deepcopy(
            [
                {name: value for name, value in vars(fake).items() if name != "_lock"}
                for fake in fakes
            ]
        )
        savepoint = self.env.cr.savepoint()
        try:
            yield
        finally:
            self.env.clear()
            savepoint.rollback()
            savepoint.close(rollback=False)
            for fake, values in zip(fakes, before, strict=True):
                vars(fake).update(values)

    def assertSaysWhyNot(self, tenant, kind):
        with self.assertRaises(UserError) as caught:
            tenant._check_request(kind)
        label = self.env["saas.operation"]._get_kind_label(kind)
        said = f"{tenant._get_state_label().lower()}; “{label}” is not possible now."
        self.assertIn(said, str(caught.exception))


@tagged("post_install", "-at_install")
class TestTransitions(TableCase):
    @QUIET
    def test_every_kind_leads_where_the_table_says_and_is_refused_elsewhere(self):
        for state in TENANT_STATES:
            with self.taken_back():
                tenant = getattr(self, f"bring_{state}")()
                self.assertEqual(tenant.state, state)
                for kind, (sources, target) in TRANSITIONS.items():
                    with self.subTest(state=state, kind=kind):
                        if tenant._is_under_way(kind):
                            self.assertEqual(self.ask(kind, tenant).kind, kind)
                        elif state in sources:
                            with self.taken_back():
                                self.assertLeads(tenant, kind, target)
                        else:
                            self.assertSaysWhyNot(tenant, kind)

    def assertLeads(self, tenant, kind, target):
        operation = self.ask(kind, tenant)
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.sudo().message)
        self.assertEqual(tenant.state, target, tenant.state_message)

    def ask(self, kind, tenant):
        """Ask as people do; what they ask for in another way is recorded like it."""
        if kind == "erase":
            return tenant.action_delete(erase_now=True)
        if kind == "restore":
            return tenant.action_restore(self.backup.id)
        if action := getattr(tenant, f"action_{kind}", None):
            return action()
        tenant.sudo().source_backup_id = self.backup
        return tenant._request(kind, {"wanted": "running"})

    def bring_draft(self):
        return self.create_tenant("beta").with_user(self.manager)

    def bring_provisioning(self):
        tenant = self.bring_draft()
        tenant.action_provision()
        return tenant

    def bring_failed(self):
        self.driver.images.discard(IMAGE)
        tenant = self.bring_provisioning()
        self.run_operations()
        self.driver.images.add(IMAGE)
        return tenant

    def bring_running(self):
        return self.tenant

    def bring(self, operation):
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.sudo().message)
        return self.tenant

    def bring_sleeping(self):
        return self.bring(self.tenant.action_sleep())

    def bring_stopped(self):
        return self.bring(self.tenant.action_stop())

    def bring_suspended(self):
        return self.bring(self.tenant.action_suspend())

    def bring_deleting(self):
        return self.bring(self.tenant.action_delete())

    def bring_archived(self):
        return self.bring(self.tenant.action_archive())

    def bring_deleted(self):
        return self.bring(self.tenant.action_delete(erase_now=True))


@tagged("post_install", "-at_install")
class TestExclusion(TableCase):
    """Which kinds run alone, which wait, and which give way to what is asked next."""

    def prepare(self):
        super().prepare()
        drill = self.env["saas.drill"].create({"backup_id": self.backup.id})
        subjects = (self.tenant, self.tenant.template_id, self.backup, drill)
        self.subjects = {subject._name: subject.sudo() for subject in subjects}

    def find_subject(self, kind):
        """Return the one that has all of its steps."""
        for model in SUBJECTS:
            steps = [f"_step_{step}" for step in KINDS[kind].steps]
            if all(hasattr(self.env[model], step) for step in steps):
                return self.subjects[model]
        raise AssertionError(f"Nothing has all steps of {kind}.")

    def record(self, kind):
        return self.env["saas.operation"].sudo()._record(kind, self.find_subject(kind))

    def find_other(self, kind):
        """Return a kind that may not run beside that one."""
        exclusive = [other for other, spec in KINDS.items() if spec.exclusive]
        return next(
            other
            for other in exclusive
            if other != kind and self.find_subject(other) == self.find_subject(kind)
        )

    def for_each(self, check, *, exclusive=True):
        """Check each of these kinds; what was done about it is taken back."""
        for kind, spec in KINDS.items():
            if spec.exclusive == exclusive and spec.steps:
                with self.subTest(kind=kind), self.taken_back():
                    check(kind)

    def test_there_is_something_that_has_all_steps_of_each_kind(self):
        found = {self.find_subject(kind)._name for kind in KINDS}
        self.assertEqual(found, set(SUBJECTS))

    def test_an_exclusive_kind_runs_alone_and_the_next_waits_for_it(self):
        self.for_each(self.assertRunsAlone)

    def assertRunsAlone(self, kind):
        first = self.record(kind)
        self.assertEqual(self.record(kind), first)
        first.state = "running"
        second = self.record(self.find_other(kind))
        self.run_once(second)
        self.assertEqual((first.state, second.state), ("running", "pending"))
        self.assertEqual(second._find_earlier(), first)
        self.assertEqual(set(second.step_ids.mapped("state")), {"pending"})

    @mute_logger("odoo.sql_db")
    def test_the_database_refuses_two_exclusive_ones_of_a_tenant_at_a_time(self):
        self.for_each(self.assertNoSecondOneRuns)

    def assertNoSecondOneRuns(self, kind):
        if self.find_subject(kind)._name != "saas.tenant":
            return
        self.record(kind).state = "running"
        second = self.record(self.find_other(kind))
        with self.assertRaises(UniqueViolation), self.env.cr.savepoint():
            second.state = "running"
            second.flush_recordset()

    def test_what_is_not_exclusive_waits_for_nobody(self):
        self.for_each(self.assertWaitsForNobody, exclusive=False)

    def assertWaitsForNobody(self, kind):
        self.record("restart").state = "running"
        operations = self.record(kind) | self.record(kind)
        self.assertEqual(len(operations), 2)
        for operation in operations:
            self.assertEqual(operation._find_steps_to_run(), operation.step_ids)

    @QUIET
    def test_what_has_not_begun_gives_way_where_the_table_says_so(self):
        self.for_each(self.assertGivesWay)

    def assertGivesWay(self, kind):
        first = self.record(kind)
        second = self.record(other := self.find_other(kind))
        self.assertEqual(second.state, "pending")
        if kind in SUPERSEDABLE:
            self.assertEqual((first.state, first.reason), ("cancelled", "superseded"))
            self.assertIn(first._get_kind_label(other), first.message)
        else:
            self.assertEqual(first.state, "pending")
            self.assertEqual(second._find_earlier(), first)

    def test_only_kinds_that_run_alone_give_way_or_clean_up(self):
        for kind in {*SUPERSEDABLE, *CLEAN_UPS}:
            self.assertTrue(KINDS[kind].exclusive, kind)
