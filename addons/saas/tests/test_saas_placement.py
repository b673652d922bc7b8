from unittest.mock import patch

from psycopg2.errors import UniqueViolation

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..const import MAX_ATTEMPTS
from ..engine.errors import EngineError, RefusedError
from ..engine.fake import RefusingDatabaseServer
from ..models.saas_placement import FULL_PAUSE
from .common import SaasCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestPlacement(SaasCommon):
    def prepare(self):
        super().prepare()
        self.frankfurt = self.env["saas.region"].create({"name": "Frankfurt"})
        self.lisbon = self.env["saas.region"].create({"name": "Lisbon"})
        self.ssd = self.env["saas.label"].create({"name": "ssd"})
        self.gpu = self.env["saas.label"].create({"name": "gpu"})

    def add_server(self, name, **values):
        return self.server.copy({"name": name, "active": True, **values})

    def measure(self, server, memory=16, memory_free=8, disk=100, disk_free=60):
        server.write(
            {
                "memory": memory,
                "memory_free": memory_free,
                "disk": disk,
                "disk_free": disk_free,
            }
        )

    def set_parameter(self, name, value):
        self.env["ir.config_parameter"].set_param(f"saas.{name}", value)

    def place(self, **kwargs):
        return self.env["saas.server"]._place(self.plan, self.env.company, **kwargs)

    def refuse(self, **kwargs):
        """Return the sentence with which the placement is refused."""
        with self.assertRaises(RefusedError) as caught:
            self.place(**kwargs)
        self.assertEqual(caught.exception.reason, "no_room")
        return caught.exception.message

    # === THE RULES === #

    def test_a_draining_server_takes_no_new_tenant(self):
        roomy = self.add_server("Roomy", max_tenants=1000)
        self.assertEqual(self.place(), roomy)
        roomy.draining = True
        self.assertEqual(self.place(), self.server)

    def test_an_archived_server_takes_no_new_tenant(self):
        roomy = self.add_server("Roomy", max_tenants=1000)
        roomy.active = False
        self.assertEqual(self.place(), self.server)

    def test_a_server_of_another_company_takes_no_tenant_of_ours(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.add_server("Roomy", max_tenants=1000, company_id=other.id)
        self.assertEqual(self.place(), self.server)
        self.server.company_id = self.env.company
        self.assertEqual(self.place(), self.server)

    def test_a_server_that_is_down_takes_no_new_tenant(self):
        roomy = self.add_server("Roomy", max_tenants=1000)
        roomy._write_check("failed", "The engine is down.")
        self.assertEqual(self.place(), self.server)
        roomy._write_check("ok", False)
        self.assertEqual(self.place(), roomy)

    def test_a_plan_with_a_region_is_placed_there_only(self):
        near = self.add_server("Near", region_id=self.frankfurt.id)
        self.add_server("Far", region_id=self.lisbon.id, max_tenants=1000)
        self.plan.region_id = self.frankfurt
        self.assertEqual(self.place(), near)

    def test_a_plan_with_labels_is_placed_where_all_of_them_are(self):
        both = self.add_server("Both", label_ids=(self.ssd | self.gpu).ids)
        self.add_server("One", label_ids=self.ssd.ids, max_tenants=1000)
        self.plan.label_ids = self.ssd | self.gpu
        self.assertEqual(self.place(), both)

    def test_a_plan_without_wishes_is_placed_on_any_server(self):
        wished = self.add_server(
            "Wished",
            region_id=self.frankfurt.id,
            label_ids=self.ssd.ids,
            max_tenants=1000,
        )
        self.assertEqual(self.place(), wished)

    def test_memory_is_promised_up_to_a_factor_that_is_a_setting(self):
        self.plan.memory = 512
        self.measure(self.server, memory=1)
        self.create_running_tenant("alfa")
        self.assertEqual(self.server.memory_promised, 0.5)
        self.set_parameter("memory_overcommit", "1")
        self.assertEqual(self.place(), self.server)
        self.create_running_tenant("beta")
        self.assertIn("First server has too little memory left", self.refuse())
        self.set_parameter("memory_overcommit", "1.5")
        self.assertEqual(self.place(), self.server)

    def test_memory_that_is_used_up_stops_placement_whatever_was_promised(self):
        self.plan.memory = 512
        self.measure(self.server, memory_free=0.125)
        self.assertEqual(self.place(), self.server)
        self.measure(self.server, memory_free=0.12)
        self.assertIn("First server has too little memory left", self.refuse())

    def test_some_disk_is_kept_free_and_how_much_is_a_setting(self):
        self.measure(self.server, disk_free=0.9)
        self.assertIn("First server has too little disk left", self.refuse())
        self.set_parameter("disk_floor", "0.5")
        self.assertEqual(self.place(), self.server)

    def test_a_factor_below_one_and_a_floor_of_nothing_are_refused(self):
        settings = self.env["res.config.settings"]
        settings.create({"saas_memory_overcommit": 2, "saas_disk_floor": 5}).execute()
        servers = self.env["saas.server"]
        self.assertEqual(servers._get_memory_overcommit(), 2)
        self.assertEqual(servers._get_disk_floor(), 5)
        with self.assertRaisesRegex(ValidationError, "from 1 on"):
            settings.create({"saas_memory_overcommit": 0.9})
        with self.assertRaisesRegex(ValidationError, "above 0"):
            settings.create({"saas_disk_floor": 0})

    # === THE CHOICE === #

    def test_the_server_wins_that_has_most_of_what_it_has_least_of(self):
        other = self.add_server("Other")
        self.measure(self.server, disk_free=10)
        self.measure(other, memory_free=3)
        self.assertEqual(self.place(), other)
        self.measure(self.server, disk_free=30)
        self.assertEqual(self.place(), self.server)

    def test_a_server_that_was_never_measured_comes_last(self):
        known = self.add_server("Known")
        self.measure(known, disk_free=2)
        self.assertEqual(self.place(), known)

    def test_equal_servers_are_filled_in_turn(self):
        self.add_server("Second server")
        names = ("alfa", "beta", "gamma", "delta")
        tenants = [self.create_running_tenant(name) for name in names]
        self.assertEqual(
            [tenant.server_id.name for tenant in tenants],
            ["First server", "Second server"] * 2,
        )

    def test_more_servers_cost_no_more_queries(self):
        def count_queries():
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            self.place()
            return self.cr.sql_log_count - before

        self.plan.label_ids = self.ssd
        self.server.label_ids = self.ssd
        self.measure(self.server)
        self.create_running_tenant()
        count_queries()
        few = count_queries()
        for number in range(20):
            server = self.add_server(f"Server {number}", label_ids=self.ssd.ids)
            self.measure(server)
        self.assertEqual(count_queries(), few)
        self.assertLessEqual(few, 10)

    # === WHY NOT === #

    def test_the_refusal_names_one_server_and_counts_several(self):
        for name in ("Second server", "Third server"):
            self.measure(self.add_server(name), disk_free=0.5)
        self.server.draining = True
        self.assertEqual(
            self.refuse(),
            "No server has room for a tenant of the plan Basic: First server is "
            "draining, 2 have too little disk left. Add a server, or change what is "
            "in the way.",
        )

    def test_each_rule_has_its_words_for_one_server_and_for_two(self):
        self.plan.write(
            {"region_id": self.frankfurt.id, "label_ids": [(6, 0, self.ssd.ids)]}
        )
        good = {"region_id": self.frankfurt.id, "label_ids": self.ssd.ids}
        full = self.add_server("Full", max_tenants=1, **good)
        self.create_tenant("alfa", server_id=full.id).sudo()._take_slot()
        self.server.active = False
        for one, several, change in (
            ("is in another region", "are in another region", {"region_id": False}),
            ("lacks a label", "lack a label", {"label_ids": False}),
            ("is draining", "are draining", {"draining": True}),
            ("does not work (Its last", "do not work", {"check_state": "failed"}),
            ("is being tested", "are being tested", {"check_state": "checking"}),
        ):
            with self.subTest(rule=one):
                first = self.add_server("First", **good)
                first.write(change)
                with self.assertRaises(EngineError) as caught:
                    self.place()
                self.assertIn(f"First {one}", caught.exception.message)
                second = self.add_server("Second", **good)
                second.write(change)
                with self.assertRaises(EngineError) as caught:
                    self.place()
                self.assertIn(f"2 {several}", caught.exception.message)
                self.assertIn("Full is full", caught.exception.message)
                (first | second).active = False

    def test_without_any_server_the_refusal_says_to_add_one(self):
        self.server.active = False
        self.assertEqual(
            self.refuse(),
            f"There is no server for tenants of the company {self.env.company.name}. "
            "Add one.",
        )

    @QUIET
    def test_without_room_the_tenant_is_refused_with_what_to_do(self):
        self.server.max_tenants = 1
        self.create_running_tenant("alfa")
        tenant = self.create_tenant("beta")
        tenant.action_provision()
        self.run_operations()
        self.assertEqual(tenant.state, "failed")
        self.assertEqual(
            tenant.state_message,
            "No server has room for a tenant of the plan Basic: First server is full. "
            "Add a server, or change what is in the way.",
        )

    @QUIET
    def test_where_one_met_a_full_disk_no_other_is_sent_until_it_was_tested(self):
        elsewhere = self.database_server.copy({"name": "Elsewhere"})
        neighbour = self.add_server("Neighbour")
        other = self.add_server("Other", database_server_id=elsewhere.id, sequence=99)
        full = RefusingDatabaseServer(verbs=("clone",), reason="disk_full")
        full.databases, full.roles = self.databases.databases, self.databases.roles
        self.databases = full
        tenant = self.create_tenant("alfa")
        tenant.server_id = self.server
        tenant.action_provision()
        self.run_operations()
        self.assertEqual(tenant.state, "failed")
        self.assertIn("too little disk left", self.refuse(chosen=self.server))
        self.assertIn("too little disk left", self.refuse(chosen=neighbour))
        self.assertEqual(self.place(), other)
        neighbour._prepare()
        self.assertEqual(self.place(chosen=neighbour), neighbour)
        self.server.full_on -= FULL_PAUSE
        self.assertEqual(self.place(chosen=self.server), self.server)

    def test_while_the_only_server_does_not_work_a_provision_waits_for_it(self):
        self.server._write_check("failed", "The engine is down.")
        tenant = self.create_tenant()
        operation = tenant.action_provision()
        self.assertTrue(self.run_once(operation))
        self.assertIn("The engine is down.", tenant.state_message)
        self.assertFalse(tenant.server_id)
        self.server._write_check("ok", False)
        self.run_operations()
        self.assertEqual(tenant.state, "running")

    def test_a_server_that_is_being_tested_counts_on_when_the_test_has_ended(self):
        roomy = self.add_server("Roomy", max_tenants=1000)
        roomy._write_check("failed", "The engine is down.")
        roomy.action_check()
        self.assertEqual(roomy.check_state, "checking")
        self.assertEqual(self.place(), self.server)
        roomy._write_check("ok", False)
        self.assertEqual(self.place(), roomy)

    def test_while_the_only_server_is_being_tested_a_provision_waits_for_it(self):
        self.server.action_check()
        tenant = self.create_tenant()
        operation = tenant.action_provision()
        for _try in range(MAX_ATTEMPTS + 1):
            self.assertTrue(self.run_once(operation))
        self.assertIn("First server is being tested", tenant.state_message)
        self.assertFalse(tenant.server_id)
        self.server._write_check("ok", False)
        self.run_operations()
        self.assertEqual(tenant.state, "running")

    def test_nobody_waits_for_a_server_that_would_not_take_the_tenant_anyway(self):
        self.server._write_check("failed", "The engine is down.")
        self.server.draining = True
        self.assertIn("First server is draining", self.refuse())

    def test_who_comes_too_late_for_the_last_place_is_placed_elsewhere(self):
        self.add_server("Second server", max_tenants=800)
        self.server.max_tenants = 1000
        tenant = self.create_tenant()
        operation = tenant.action_provision()
        servers = self.env.registry["saas.server"]
        with patch.object(servers, "_get_free_slots", lambda _server: iter(())):
            self.assertTrue(self.run_once(operation))
        self.assertFalse(tenant.server_id)
        self.server.draining = True
        self.run_operations()
        self.assertEqual(tenant.server_id.name, "Second server")
        self.assertEqual(tenant.state, "running")

    # === CHOSEN BY HAND === #

    def test_a_server_that_staff_chose_is_taken_though_another_has_more_room(self):
        self.add_server("Roomy", max_tenants=1000)
        tenant = self.create_running_tenant(server_id=self.server.id)
        self.assertEqual(tenant.server_id, self.server)

    @QUIET
    def test_a_chosen_server_that_drains_is_refused_and_another_choice_helps(self):
        self.add_server("Second server")
        self.server.draining = True
        tenant = self.create_tenant(server_id=self.server.id)
        tenant.action_provision()
        self.run_operations()
        self.assertEqual(tenant.state, "failed")
        self.assertEqual(
            tenant.state_message,
            "The chosen server has no room for a tenant of the plan Basic: First "
            "server is draining. Choose another one or none, or change what is in the "
            "way.",
        )
        tenant.with_user(self.operator).server_id = False
        tenant.with_user(self.operator).action_provision()
        self.run_operations()
        self.assertEqual(tenant.server_id.name, "Second server")
        self.assertEqual(tenant.state, "running")

    def test_a_chosen_server_that_is_archived_is_refused(self):
        second = self.add_server("Second server")
        second.active = False
        self.assertEqual(
            self.refuse(chosen=second),
            "The server Second server is archived, or belongs to another company. "
            "Choose another one or none.",
        )

    # === REGIONS AND LABELS === #

    def test_a_region_and_a_label_have_one_name_whatever_its_letters(self):
        for record in (self.frankfurt, self.ssd):
            with (
                self.subTest(model=record._name),
                mute_logger("odoo.sql_db"),
                self.assertRaises(UniqueViolation),
                self.env.cr.savepoint(),
            ):
                record.copy({"name": record.name.upper()})

    def test_managers_alone_change_regions_and_labels(self):
        for record in (self.frankfurt, self.ssd):
            with self.subTest(model=record._name):
                record.with_user(self.manager).name = "new"
                self.assertEqual(record.with_user(self.viewer).name, "new")
                with self.assertRaises(AccessError):
                    record.with_user(self.operator).name = "newer"
