"""The fakes keep the contracts, and fail as their names say."""

from __future__ import annotations

import pytest
from driver_contract import OTHER, TEMPLATE, UID, Bench, DriverContract, refused

from odoo.addons.saas.engine.driver import Phase, TaskPhase, TaskSpec
from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas.engine.fake import (
    FakeDatabaseContainer,
    FakeDatabaseServer,
    FakeDriver,
    FakeProxy,
    FlakyDriver,
    LostDatabaseServer,
    LostDriver,
    LostProxy,
    NeverReadyDriver,
    RefusingDriver,
    SlowDriver,
)
from odoo.addons.saas.engine.odoo_database import Identity, personalise
from odoo.addons.saas.engine.proxy import Route

IMAGE = "saas-odoo:19.0"


class FakeBench(Bench):
    image = IMAGE
    missing_image = "nowhere:1"

    def __init__(self) -> None:
        self.driver = FakeDriver(images=frozenset({IMAGE}))

    def unreachable(self):
        return LostDriver()

    def put_foreign_container(self, uid):
        self.driver.put_foreign(uid)

    def put_foreign_state(self, uid):
        self.driver.foreign.add(uid)

    def foreign_is_untouched(self, uid):
        found = self.driver.containers.get(uid)
        kept = found and found.spec is None and found.phase == Phase.RUNNING
        return bool(kept or uid in self.driver.foreign)

    def containers(self, uid):
        own = [uid] if uid in self.driver.containers else []
        return own + [key for owner, key in self.driver.tasks if owner == uid]

    def start_of(self, uid):
        return str(id(self.driver.containers[uid]))

    def change_limits(self, uid):
        self.driver.change_limits(uid)

    def write_state(self, uid, name, content):
        self.driver.state[uid][name] = content

    def read_state(self, uid, name):
        return self.driver.state[uid].get(name)

    def read_file(self, uid, name):
        return self.driver.containers[uid].spec.files.get(name)

    def inspection(self, uid):
        return f"{uid}: {self.driver.containers[uid]} {self.containers(uid)}"

    def state_volume(self, uid):
        return self.driver.state_volume(uid)

    def shared_volumes(self):
        return set(self.driver.volumes)

    def everything(self):
        driver = self.driver
        return [
            *driver.containers,
            *driver.state,
            *driver.volumes,
            *driver.databases,
        ]

    def without_databases(self):
        self.driver.takes_databases = False
        return self.driver

    def put_foreign_database(self, uid):
        self.driver.databases[uid] = FakeDatabaseContainer(None, runs=True)

    def start_of_database(self, uid):
        found = self.driver.databases.get(uid)
        return f"{uid}, start {found.starts}" if found and found.runs else ""

    def lose_database(self, uid):
        self.driver.databases[uid].runs = False

    def write_data(self, uid, name):
        self.driver.databases[uid].data.add(name)

    def has_data(self, uid, name):
        return name in self.driver.databases[uid].data

    def task(self, key, exit_code=0, **more):
        self.driver.outcomes[key] = exit_code
        values = {"key": key, "image": IMAGE, "command": ("true",)}
        return TaskSpec(**values, limits=self.limits, **more)


@pytest.fixture
def spec():
    return FakeBench().spec()


class TestFakeDriver(DriverContract):
    @pytest.fixture
    def bench(self):
        return FakeBench()

    def test_what_vanishes_is_absent_and_told_as_an_event(self, bench, driver):
        bench.run(bench.spec())
        driver.happened.clear()
        driver.lose(UID)
        assert driver.observe(UID).phase == Phase.ABSENT
        assert [event.uid for event in driver.happened] == [UID]

    def test_every_call_is_recorded_with_its_subject(self, bench, driver):
        driver.ensure(bench.spec())
        driver.stop(UID)
        assert driver.calls == [("ensure", UID), ("stop", UID)]
        assert driver.count("ensure") == 1


# === FAILURE MODES === #


def test_a_slow_server_is_ready_after_some_looks(spec):
    driver = SlowDriver(looks=2)
    driver.ensure(spec)
    seen = [driver.observe(UID).phase for __ in range(3)]
    assert seen == [Phase.STARTING, Phase.STARTING, Phase.RUNNING]


def test_a_server_that_is_never_ready_goes_on_starting(spec):
    driver = NeverReadyDriver()
    driver.ensure(spec)
    assert {driver.observe(UID).phase for __ in range(50)} == {Phase.STARTING}


def test_a_refusing_server_makes_nothing_but_can_be_looked_at(spec):
    driver = RefusingDriver(reason="no_room")
    with refused("no_room"):
        driver.ensure(spec)
    assert driver.observe(UID).phase == Phase.ABSENT


def test_a_flaky_server_works_at_the_second_try(spec):
    driver = FlakyDriver()
    with pytest.raises(RetryableError):
        driver.ensure(spec)
    assert driver.containers == {}
    driver.ensure(spec)
    assert driver.containers[UID].phase == Phase.RUNNING


def test_a_flaky_server_may_have_worked_although_it_did_not_say_so(spec):
    driver = FlakyDriver(late=True)
    with pytest.raises(RetryableError):
        driver.ensure(spec)
    assert driver.containers[UID].phase == Phase.RUNNING


def test_a_lost_server_can_come_back(spec):
    driver = LostDriver()
    with pytest.raises(RetryableError):
        driver.observe(UID)
    driver.lost = False
    assert driver.observe(UID).phase == Phase.ABSENT


def test_the_outcome_of_a_task_can_be_told(spec):
    driver = FakeDriver()
    driver.outcomes["seed"] = 4
    driver.start_task(UID, TaskSpec("seed", IMAGE, ("true",), spec.limits))
    seen = driver.observe_task(UID, "seed")
    assert (seen.phase, seen.exit_code) == (TaskPhase.FAILED, 4)


# === PROXY === #


def test_the_fake_proxy_keeps_one_route_for_a_uid():
    proxy = FakeProxy()
    for host in ("alfa.odoo.localhost", "beta.odoo.localhost"):
        proxy.put_route(Route(UID, (host,), "http://192.0.2.1", "http://192.0.2.1"))
    assert proxy.list_routes()[UID].hosts == ("beta.odoo.localhost",)
    proxy.delete_route(UID)
    proxy.delete_route(UID)
    assert proxy.list_routes() == {}


def test_a_lost_proxy_has_no_routes_to_tell():
    with pytest.raises(RetryableError) as caught:
        LostProxy().list_routes()
    assert caught.value.reason == "unreachable"


# === DATABASE SERVER === #


@pytest.fixture
def database_server():
    server = FakeDatabaseServer()
    server.ensure_role(TEMPLATE, "password", 8)
    server.create_database(TEMPLATE)
    server.seal_template(TEMPLATE)
    return server


def test_a_fake_clone_belongs_to_the_tenant_and_leaves_the_template(database_server):
    database_server.ensure_role(UID, "password", 8)
    database_server.clone(TEMPLATE, UID)
    database_server.clone(TEMPLATE, UID)
    made, template = (database_server.databases[uid] for uid in (UID, TEMPLATE))
    assert (made.owner, made.objects_of, made.template) == (UID, UID, TEMPLATE)
    assert template.owner == FakeDatabaseServer.MASTER
    assert set(database_server.list_databases()) == {UID, TEMPLATE}


def test_a_fake_template_cannot_be_connected_to_nor_logged_in_with(database_server):
    with refused("sealed"), database_server.connect(TEMPLATE):
        pass
    database_server.ensure_role(TEMPLATE, "again", 8)
    assert not database_server.roles[TEMPLATE].login


@pytest.mark.parametrize("missing", ["role", "template", "seal"])
def test_a_fake_clone_needs_role_and_sealed_template(missing):
    server = FakeDatabaseServer()
    if missing != "template":
        server.ensure_role(TEMPLATE, "password", 8)
        server.create_database(TEMPLATE)
        if missing != "seal":
            server.seal_template(TEMPLATE)
    if missing != "role":
        server.ensure_role(UID, "password", 8)
    with pytest.raises(RefusedError) as caught:
        server.clone(TEMPLATE, UID)
    assert (
        caught.value.reason
        == {
            "role": "role_missing",
            "template": "template_missing",
            "seal": "not_sealed",
        }[missing]
    )
    assert UID not in server.databases


def test_a_foreign_role_or_database_is_never_dropped_by_the_fake(database_server):
    database_server.put_foreign_role(UID)
    database_server.put_foreign_database(OTHER)
    with refused("foreign"):
        database_server.drop_role(UID)
    with refused("foreign"):
        database_server.drop_database(OTHER)
    assert UID in database_server.roles
    assert OTHER in database_server.databases
    assert set(database_server.list_databases()) == {TEMPLATE}
    assert database_server.list_roles() == {TEMPLATE}


def test_dropping_what_is_absent_is_success_for_the_fake(database_server):
    database_server.drop_database(UID)
    database_server.drop_role(UID)
    assert database_server.list_roles() == {TEMPLATE}


def test_the_statements_of_a_fake_connection_can_be_read(database_server):
    database_server.ensure_role(UID, "password", 8)
    database_server.clone(TEMPLATE, UID)
    with database_server.connect(UID) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert database_server.statements(UID) == ["SELECT 1"]


def test_a_fake_clone_can_be_made_a_customers_own(database_server):
    database_server.ensure_role(UID, "password", 8)
    database_server.clone(TEMPLATE, UID)
    identity = Identity("Alfa Ltd", "Ann", "ann@a.example", "ann", "http://a.localhost")
    with database_server.connect(UID) as connection:
        personalise(connection, identity)
    statements = database_server.databases[UID].statements
    assert any("Alfa Ltd" in (parameters or ()) for __, parameters in statements)


def test_a_lost_database_server_is_no_absence():
    with pytest.raises(RetryableError):
        LostDatabaseServer().list_databases()
