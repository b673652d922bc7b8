"""What is said to a database when it becomes a customer's own."""

from __future__ import annotations

import dataclasses
import re
import uuid

import pytest

from odoo.addons.saas.engine import odoo_database
from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas.engine.odoo_database import (
    Identity,
    personalise,
    separate,
    set_url,
)

IDENTITY = Identity(
    company="Bobby'); DROP TABLE res_users;--",
    name='Anna "O\'Hara"',
    email="anna@example.com",
    login="anna@example.com",
    url="http://alfa.odoo.localhost:8080",
)
TABLES = (
    "ir_config_parameter",
    "orm_signaling_default",
    "orm_signaling_stable",
    "res_company",
    "res_users",
    "res_users_apikeys",
)


class RecordingCursor:
    """Answers as a database with the tables above would, and remembers."""

    def __init__(self, connection):
        self.connection = connection
        self.rowcount = 1
        self._answer = []

    def __enter__(self):
        return self

    def __exit__(self, *details):
        pass

    def __iter__(self):
        return iter(self._answer)

    def execute(self, statement, values=()):
        text = statement if isinstance(statement, str) else _render(statement)
        self.connection.statements.append((text, values))
        self._answer = [(1, 1)]
        if "FROM pg_class" in text:
            self._answer = [(t,) for t in self.connection.tables if t in values[0]]
        elif "FROM pg_attribute" in text:
            self._answer = [(0,)]
        elif "FROM res_country" in text:
            self._answer = [(31,)] if values == ("BR",) else []
        elif "FROM res_currency" in text:
            self._answer = [(6, self.connection.active)] if values == ("BRL",) else []
        elif "SELECT currency_id" in text:
            self._answer = [(self.connection.currency,)]
        elif "FROM account_move_line" in text:
            self._answer = [(self.connection.entries,)]

    def fetchone(self):
        return self._answer[0] if self._answer else None


class RecordingConnection:
    def __init__(self, tables=TABLES):
        self.tables = tables
        self.statements = []
        self.committed = False
        self.currency, self.active, self.entries = 1, False, False
        self.info = type("Info", (), {"dbname": "t0123456789ab"})

    def __enter__(self):
        return self

    def __exit__(self, error, *details):
        self.committed = error is None

    def cursor(self):
        return RecordingCursor(self)


def _render(statement):
    return "".join(
        getattr(part, "string", "") or part.strings[0] for part in statement.seq
    )


@pytest.fixture
def connection():
    return RecordingConnection()


def _parameters(connection):
    return dict(
        values
        for text, values in connection.statements
        if text.startswith("INSERT INTO ir_config_parameter")
    )


def test_no_value_of_a_customer_is_part_of_a_statement(connection):
    personalise(connection, IDENTITY)
    text = "".join(text for text, _values in connection.statements)
    for value in (IDENTITY.company, IDENTITY.name, IDENTITY.email, IDENTITY.url):
        assert value not in text
    assert any(IDENTITY.company in values for _t, values in connection.statements)


def test_caches_are_told_last_and_in_the_same_transaction(connection):
    personalise(connection, IDENTITY)
    assert [text for text, _values in connection.statements[-2:]] == [
        "INSERT INTO orm_signaling_default DEFAULT VALUES",
        "INSERT INTO orm_signaling_stable DEFAULT VALUES",
    ]
    assert connection.committed


def test_credentials_go_from_the_tables_that_are_there(connection):
    personalise(connection, IDENTITY)
    deleted = [t for t, _v in connection.statements if t.startswith("DELETE")]
    assert deleted == [
        "DELETE FROM ir_config_parameter WHERE key = ANY(%s)",
        "DELETE FROM res_users_apikeys",
    ]


def test_nothing_that_was_due_in_the_template_is_due_at_once(connection):
    personalise(connection, IDENTITY)
    texts = [text for text, _values in connection.statements]
    for table, column in (("ir_cron", "nextcall"), ("ir_cron_trigger", "call_at")):
        [text] = [text for text in texts if f"UPDATE {table} SET " in text]
        assert f"WHERE {column} < later" in text


def test_the_parameters_are_these(connection):
    personalise(connection, IDENTITY)
    parameters = _parameters(connection)
    assert uuid.UUID(parameters.pop("database.uuid"))
    assert uuid.UUID(parameters.pop("database.secret"))
    assert parameters == {
        "web.base.url": "http://alfa.odoo.localhost:8080",
        "web.base.url.freeze": "True",
        "report.url": "http://127.0.0.1:8069",
    }


def test_a_copy_gets_an_address_and_ids_of_its_own_and_keeps_all_else(connection):
    separate(connection, "http://beta.odoo.localhost:8080")
    parameters = _parameters(connection)
    assert uuid.UUID(parameters.pop("database.uuid"))
    assert uuid.UUID(parameters.pop("database.secret"))
    assert parameters == {
        "web.base.url": "http://beta.odoo.localhost:8080",
        "web.base.url.freeze": "True",
    }
    deleted = [t for t, _v in connection.statements if t.startswith("DELETE")]
    assert deleted == ["DELETE FROM ir_config_parameter WHERE key = ANY(%s)"]
    assert connection.committed


# --- country and currency


def _personalise(connection, **values):
    """The statements that a country or a currency adds."""
    personalise(connection, dataclasses.replace(IDENTITY, **values))
    return [
        " ".join(text.split())
        for text, _values in connection.statements
        if re.match("UPDATE .*(country_id|currency)", text)
    ]


def test_without_country_and_currency_the_template_s_stay(connection):
    assert _personalise(connection) == []


def test_the_country_is_the_company_s_and_forgets_a_state_of_another(connection):
    [update] = _personalise(connection, country="BR")
    assert update == (
        "UPDATE res_partner SET country_id = %(country)s,"
        " state_id = CASE WHEN country_id = %(country)s THEN state_id END"
        " WHERE id = %(partner)s"
    )


def test_the_currency_takes_the_place_of_the_template_s(connection):
    updates = _personalise(connection, currency="BRL")
    assert [text.partition(" WHERE")[0] for text in updates] == [
        "UPDATE res_company SET currency_id = %(new)s",
        "UPDATE res_currency SET active = true",
        "UPDATE res_currency SET active = false",
    ]


def test_a_currency_that_was_active_leaves_the_others_as_they_are(connection):
    connection.active = True
    updates = _personalise(connection, currency="BRL")
    assert len(updates) == 1
    assert updates[0].startswith("UPDATE res_company")


def test_the_template_s_own_currency_changes_nothing_even_with_entries():
    connection = RecordingConnection((*TABLES, "account_move_line"))
    connection.currency, connection.entries = 6, True
    assert _personalise(connection, currency="BRL") == []
    assert connection.committed


def test_pricelists_go_with_the_currency_where_there_are_any():
    connection = RecordingConnection((*TABLES, "product_pricelist"))
    updates = _personalise(connection, currency="BRL")
    assert updates[-1] == (
        "UPDATE product_pricelist SET currency_id = %(new)s"
        " WHERE currency_id = %(old)s"
        " AND (company_id IS NULL OR company_id = %(company)s)"
    )


def test_books_with_entries_keep_their_currency():
    connection = RecordingConnection((*TABLES, "account_move_line"))
    assert len(_personalise(connection, currency="BRL")) == 3
    connection.entries, connection.committed = True, False
    with pytest.raises(RefusedError, match="has journal entries") as failure:
        _personalise(connection, currency="BRL")
    assert failure.value.reason == "currency_fixed"
    assert not connection.committed


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"country": "XX"}, "country_missing"), ({"currency": "XXX"}, "currency_missing")],
)
def test_what_the_template_does_not_know_is_refused(connection, values, reason):
    with pytest.raises(RefusedError) as failure:
        _personalise(connection, **values)
    assert failure.value.reason == reason
    assert not connection.committed


# --- addresses and faults


def test_a_new_address_changes_the_address_and_ends_no_session(connection):
    set_url(connection, "https://shop.example")
    assert _parameters(connection) == {
        "web.base.url": "https://shop.example",
        "web.base.url.freeze": "True",
    }
    assert not [t for t, _v in connection.statements if "res_users" in t[:20]]
    assert connection.committed


@pytest.mark.parametrize("url", ["", "alfa", "http://a/", "http://a b", "ftp://a"])
def test_what_is_no_address_is_refused_before_anything_is_said(connection, url):
    for call in (
        lambda: set_url(connection, url),
        lambda: personalise(connection, Identity("A", "B", "c@d.e", "f", url)),
    ):
        with pytest.raises(RefusedError) as failure:
            call()
        assert failure.value.reason == "bad_url"
    assert connection.statements == []


def test_what_is_no_odoo_is_refused_and_left_alone():
    connection = RecordingConnection(tables=("res_company",))
    with pytest.raises(RefusedError) as failure:
        personalise(connection, IDENTITY)
    assert failure.value.reason == "not_odoo"
    assert str(failure.value) == (
        "The database t0123456789ab is not one of Odoo 19: it has no"
        " ir_config_parameter, orm_signaling_default, orm_signaling_stable, res_users."
    )
    assert not connection.committed


def test_the_whole_registry_is_never_reloaded():
    assert "orm_signaling_registry" not in odoo_database.SIGNALS
