from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.saas.tests.common import new_user
from odoo.addons.saas.tests.rights import RightsCase

from .common import BackupCommon

QUIET = mute_logger("odoo.addons.base.models.ir_rule", "odoo.models")
# What customers may know of their copies: nothing of our machines and stores.
READABLE = {
    "saas.backup": {
        "company_id",
        "confirmed",
        "database_size",
        "date",
        "drill_ids",
        "drill_state",
        "files",
        "files_sent",
        "files_size",
        "held",
        "keep_until",
        "kept_for",
        "missing",
        "modules",
        "name",
        "odoo_version",
        "operation_ids",
        "reason",
        "rows",
        "same_as_id",
        "sent",
        "size",
        "state",
        "tenant_id",
        "verified_on",
    },
    "saas.drill": {
        "backup_id",
        "boot_seconds",
        "company_id",
        "content",
        "date_done",
        "files",
        "login_seconds",
        "name",
        "odoo_version",
        "operation_ids",
        "removed",
        "restore_seconds",
        "row_count",
        "signature",
        "state",
        "switching",
        "tables",
        "tenant_id",
        "uid",
        "verify_url",
    },
}
OF_ODOO = {"id", "display_name", "create_uid", "create_date", "write_uid", "write_date"}


@tagged("post_install", "-at_install")
class TestBackupRights(RightsCase, BackupCommon):
    addons = ("saas_backup",)
    sample = ("saas.backup", "action_remove")
    own = frozenset({"saas.tenant", "saas.operation", "saas.backup", "saas.drill"})
    free = frozenset(
        {
            # It says which list to open, not what is in it.
            ("saas.tenant", "action_view_backups"),
        }
    )

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.backup = self.create_backup(self.tenant)
        self.backup.action_drill()
        self.run_operations()
        self.drill = self.backup.drill_ids

    def get_own_records(self):
        return {
            **super().get_own_records(),
            "saas.operation": self.tenant.last_operation_id,
            "saas.backup": self.backup,
            "saas.drill": self.drill,
        }

    # === RECORD RULES, BY READING WITHOUT OUR PAGES === #

    def see(self, user):
        """Return how many copies and drills a user finds, and can read each of."""
        found = []
        for record in (self.backup, self.drill):
            record = record.with_user(user)
            seen = record.search([("id", "in", record.ids)])
            found.append((len(seen), record._filtered_access("read") == record))
        return found

    def test_contacts_of_the_customer_see_the_copies_and_nobody_else_does(self):
        office = self.env["res.partner"].create(
            {"name": "Alfa Office", "parent_id": self.customer.id}
        )
        colleague = new_user(self.env, "colleague", groups="base.group_portal")
        colleague.partner_id.parent_id = office
        for partner in (self.customer, office, self.owner.partner_id):
            # Whoever of the customer's it was sold to.
            self.tenant.partner_id = partner
            for user in (self.owner, colleague):
                with self.subTest(partner=partner.name, user=user.login):
                    self.assertEqual(self.see(user), [(1, True)] * 2)
            with self.subTest(partner=partner.name):
                self.assertEqual(self.see(self.stranger), [(0, False)] * 2)

    def test_a_contact_who_has_gone_to_another_customer_sees_none_any_more(self):
        self.assertEqual(self.see(self.owner), [(1, True)] * 2)
        other = self.env["res.partner"].create({"name": "Beta", "is_company": True})
        self.owner.partner_id.parent_id = other
        self.assertEqual(self.see(self.owner), [(0, False)] * 2)

    def test_users_of_one_company_of_ours_see_no_copies_of_another(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.tenant.company_id = other
        for user in (self.owner, self.viewer, self.manager):
            with self.subTest(user=user.login):
                self.assertEqual(self.see(user), [(0, False)] * 2)
        self.manager.company_ids |= other
        context = {"allowed_company_ids": other.ids}
        manager = self.backup.with_user(self.manager).with_context(**context)
        self.assertEqual(manager.search([("id", "=", self.backup.id)]), self.backup)

    @QUIET
    def test_customers_read_of_their_copies_what_is_theirs_to_know(self):
        for record in (self.backup, self.drill):
            with self.subTest(model=record._name):
                fields = record.with_user(self.owner).fields_get(attributes=["type"])
                self.assertEqual(fields.keys() - OF_ODOO, READABLE[record._name])
                for name in record._fields.keys() - fields.keys():
                    with self.assertRaises(AccessError):
                        record.with_user(self.owner).read([name])

    @QUIET
    def test_customers_reach_no_copy_of_others_by_way_of_their_own(self):
        beta = self.env["res.partner"].create({"name": "Beta", "is_company": True})
        foreign = self.create_running_tenant("foreign", partner_id=beta.id)
        copy = self.create_backup(foreign)
        Backup = self.env["saas.backup"].with_user(self.owner)
        for domain in (
            [],
            [("tenant_id.name", "=", "foreign")],
            ["|", ("id", "=", copy.id), ("tenant_id.partner_id", "=", beta.id)],
        ):
            self.assertLessEqual(Backup.search(domain), self.backup)
        counted = Backup._read_group([], ["tenant_id"], ["__count"])
        self.assertEqual(counted, [(self.tenant.with_user(self.owner), 1)])
        with self.assertRaises(AccessError):
            Backup.search([("store_id.name", "ilike", "a")])
