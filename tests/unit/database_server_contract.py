"""The contract of every database server, as tests, run on the fake and on real ones.

A subclass gives a ``bench``: a prepared server without tenants and, beside it, what is
on it as its administrator sees it.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator

import pytest

from odoo.addons.saas.engine.errors import EngineError, RefusedError, RetryableError
from odoo.addons.saas.engine.postgres import DatabaseServer

UID = "t0000000000a1"
OTHER = "t0000000000b2"
TEMPLATE = "tpl00000000c3"
PASSWORD = "planted-password-41c7"


class DatabaseServerBench(ABC):
    server: DatabaseServer

    @abstractmethod
    def unreachable(self) -> DatabaseServer:
        """A server that does not answer."""

    @abstractmethod
    def put_foreign_role(self, uid: str) -> None:
        """Have a role of that name that is not ours."""

    @abstractmethod
    def put_foreign_database(self, uid: str) -> None:
        """Have a database of that name that is not ours."""

    @abstractmethod
    def roles(self) -> set[str]:
        """All roles, foreign ones too."""

    @abstractmethod
    def databases(self) -> set[str]:
        """All databases, foreign ones too."""

    @abstractmethod
    def owner(self, uid: str) -> str:
        """Who owns that database."""

    @abstractmethod
    def connection_limit(self, uid: str) -> int:
        """How many connections that role may have."""

    def build_template(self) -> None:
        self.server.ensure_role(TEMPLATE, PASSWORD, 8)
        self.server.create_database(TEMPLATE)
        self.server.seal_template(TEMPLATE)

    def make_tenant(self, uid: str = UID) -> None:
        self.server.ensure_role(uid, PASSWORD, 8)
        self.server.clone(TEMPLATE, uid)


@contextlib.contextmanager
def refused(reason: str) -> Iterator[pytest.ExceptionInfo[RefusedError]]:
    with pytest.raises(RefusedError) as failure:
        yield failure
    assert failure.value.reason == reason, failure.value.message


class DatabaseServerContract:
    def test_a_check_says_one_line(self, bench):
        line = bench.server.check()
        assert line
        assert "\n" not in line

    def test_preparing_twice_is_the_same(self, bench):
        bench.server.prepare()
        bench.server.prepare()
        assert bench.server.check()

    def test_a_role_gets_its_limit_and_the_next_limit(self, bench):
        bench.server.ensure_role(UID, PASSWORD, 8)
        assert bench.connection_limit(UID) == 8
        bench.server.ensure_role(UID, PASSWORD, 9)
        assert bench.connection_limit(UID) == 9
        assert bench.server.list_roles() == {UID}

    def test_a_role_logs_in_with_the_last_password_only(self, bench):
        bench.build_template()
        bench.make_tenant()
        bench.server.ensure_role(UID, "another", 8)
        with refused("credentials"), bench.server.connect(UID, PASSWORD):
            pass
        with bench.server.connect(UID, "another") as connection:
            assert connection

    def test_a_role_that_is_closed_logs_in_once_it_is_opened(self, bench):
        bench.build_template()
        bench.server.ensure_role(UID, PASSWORD, 8, login=False)
        bench.server.clone(TEMPLATE, UID)
        with refused("credentials"), bench.server.connect(UID, PASSWORD):
            pass
        with bench.server.connect(UID) as connection:
            assert connection
        bench.server.ensure_role(UID, PASSWORD, 8)
        with bench.server.connect(UID, PASSWORD) as connection:
            assert connection

    def test_a_copy_belongs_to_its_role_and_the_template_to_the_master(self, bench):
        bench.build_template()
        before = bench.owner(TEMPLATE)
        bench.make_tenant()
        assert bench.owner(UID) == UID
        assert bench.owner(TEMPLATE) == before
        assert before not in (UID, TEMPLATE)

    def test_everything_may_be_called_twice(self, bench):
        for _ in range(2):
            bench.build_template()
        for _ in range(2):
            bench.make_tenant()
        assert set(bench.server.list_databases()) == {UID, TEMPLATE}
        assert bench.server.list_roles() == {UID, TEMPLATE}
        for _ in range(2):
            bench.server.drop_database(UID)
            bench.server.drop_role(UID)
            bench.server.drop_database(TEMPLATE)
            bench.server.drop_role(TEMPLATE)
        assert bench.server.list_databases() == {}
        assert bench.server.list_roles() == frozenset()

    def test_sizes_are_listed_in_bytes(self, bench):
        bench.build_template()
        assert bench.server.list_databases()[TEMPLATE] > 1_000_000

    def test_a_template_that_is_missing_is_refused(self, bench):
        bench.server.ensure_role(UID, PASSWORD, 8)
        with refused("template_missing"):
            bench.server.clone(TEMPLATE, UID)
        assert UID not in bench.databases()

    def test_a_template_that_is_not_sealed_is_refused(self, bench):
        bench.server.ensure_role(TEMPLATE, PASSWORD, 8)
        bench.server.create_database(TEMPLATE)
        bench.server.ensure_role(UID, PASSWORD, 8)
        with refused("not_sealed"):
            bench.server.clone(TEMPLATE, UID)
        assert UID not in bench.databases()

    def test_a_copy_for_a_role_that_is_missing_is_refused(self, bench):
        bench.build_template()
        with refused("role_missing"):
            bench.server.clone(TEMPLATE, UID)
        assert UID not in bench.databases()

    def test_a_sealed_template_takes_no_connection(self, bench):
        bench.build_template()
        with refused("sealed"), bench.server.connect(TEMPLATE):
            pass

    def test_a_role_that_still_owns_a_database_stays(self, bench):
        bench.build_template()
        bench.make_tenant()
        with pytest.raises(RetryableError) as failure:
            bench.server.drop_role(UID)
        assert failure.value.reason == "in_use"
        assert UID in bench.roles()

    def test_databases_that_were_exchanged_belong_to_the_roles_of_their_names(
        self, bench
    ):
        bench.build_template()
        bench.make_tenant()
        bench.make_tenant(OTHER)
        for exchanged in (True, True, False, False):
            bench.server.exchange(UID, OTHER, exchanged=exchanged)
            assert (bench.owner(UID), bench.owner(OTHER)) == (UID, OTHER)
        assert set(bench.server.list_databases()) == {UID, OTHER, TEMPLATE}

    def test_a_database_is_not_exchanged_for_one_that_is_missing(self, bench):
        bench.build_template()
        bench.make_tenant()
        bench.server.ensure_role(OTHER, PASSWORD, 8)
        with refused("database_missing"):
            bench.server.exchange(UID, OTHER, exchanged=True)
        assert bench.owner(UID) == UID

    @pytest.mark.parametrize("verb", ["ensure_role", "clone", "drop_role"])
    def test_a_foreign_role_is_neither_adopted_nor_dropped(self, bench, verb):
        bench.build_template()
        bench.put_foreign_role(UID)
        with refused("foreign"):
            _call(bench.server, verb)
        assert UID in bench.roles()
        assert UID not in bench.databases()
        assert UID not in bench.server.list_roles()

    @pytest.mark.parametrize("verb", ["clone", "drop_database", "drop_role"])
    def test_a_foreign_database_is_neither_adopted_nor_dropped(self, bench, verb):
        bench.build_template()
        bench.server.ensure_role(UID, PASSWORD, 8)
        bench.put_foreign_database(UID)
        owner = bench.owner(UID)
        if verb != "drop_role":
            with refused("foreign"):
                _call(bench.server, verb)
        else:
            with contextlib.suppress(EngineError):
                _call(bench.server, verb)
        assert bench.owner(UID) == owner
        assert UID not in bench.server.list_databases()

    @pytest.mark.parametrize(
        "verb",
        [
            "check",
            "ensure_role",
            "clone",
            "drop_database",
            "drop_role",
            "list",
            "roles",
        ],
    )
    def test_an_unreachable_server_is_an_error_and_never_an_absence(self, bench, verb):
        with pytest.raises(RetryableError) as failure:
            _call(bench.unreachable(), verb)
        assert failure.value.reason == "unreachable"


def _call(server: DatabaseServer, verb: str) -> None:
    calls = {
        "check": server.check,
        "ensure_role": lambda: server.ensure_role(UID, PASSWORD, 8),
        "clone": lambda: server.clone(TEMPLATE, UID),
        "drop_database": lambda: server.drop_database(UID),
        "drop_role": lambda: server.drop_role(UID),
        "list": server.list_databases,
        "roles": server.list_roles,
    }
    calls[verb]()
