"""Makes a copy of a template one customer's own, by SQL, also while Odoo runs on it.

The statements follow Odoo 19's schema. What a module adds is touched only where it is
installed. Everything happens in one transaction together with the signal that makes a
running Odoo drop its caches.
"""

from __future__ import annotations

import dataclasses
import html
import re
import uuid

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from .errors import RefusedError

ADMIN_ID = 2
"""The administrator of each Odoo database (``base.user_admin``)."""

REPORT_URL = "http://127.0.0.1:8069"
"""Where the PDF renderer, in the tenant's own container, finds styles and pictures."""

# The caches of records and of parameters. Not the registry: that would reload it whole.
SIGNALS = ("orm_signaling_default", "orm_signaling_stable")

# What would let somebody in, or tell one copy's browsers from another's.
CREDENTIALS = (
    "res_users_apikeys",
    "auth_totp_device",
    "auth_passkey_key",
    "res_device_log",
    "res_users_log",
    "mail_push_device",
)

# Made by Odoo itself on first use; all copies of a template would share them.
SHARED_PARAMETERS = (
    "mail.web_push_vapid_private_key",
    "mail.web_push_vapid_public_key",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Whose Odoo it becomes.

    :param str company: name of the company
    :param str name: name of the administrator
    :param str email: address of both
    :param str login: what the administrator logs in with
    :param str url: the tenant's address, without a slash at the end
    :param str language: e.g. ``fr_BE``; empty leaves the template's
    :param str timezone: e.g. ``Europe/Brussels``; empty leaves the template's
    :param str country: two letters, e.g. ``BE``; empty leaves the template's
    :param str currency: three letters, e.g. ``EUR``; empty leaves the template's
    """

    company: str
    name: str
    email: str
    login: str
    url: str
    language: str = ""
    timezone: str = ""
    country: str = ""
    currency: str = ""


def personalise(connection: Connection, identity: Identity) -> None:
    """Give the database to its customer: names, address, ids; no credentials are left.

    Repeatable until the customer has it: it ends all sessions and the administrator's
    password each time. Commits.

    :raise RefusedError: ``not_odoo``, ``bad_url``, ``language_missing``,
        ``country_missing``, ``currency_missing`` or ``currency_fixed``
    """
    _check_url(identity.url)
    with connection, connection.cursor() as cursor:
        _check_odoo(cursor)
        company_id, company_partner_id = _get_company(cursor)
        _write_company(cursor, company_id, company_partner_id, identity)
        _write_admin(cursor, identity)
        _write_language(cursor, company_partner_id, identity)
        if identity.country:
            _write_country(cursor, company_id, company_partner_id, identity.country)
        if identity.currency:
            _write_currency(cursor, company_id, identity.currency)
        _set_parameters(cursor, _make_parameters(identity.url))
        _remove_shared_parameters(cursor)
        _postpone_actions(cursor)
        for table in _existing(cursor, CREDENTIALS):
            cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        _signal(cursor)


def set_url(connection: Connection, url: str) -> None:
    """Change only the address, e.g. after a rename. Commits.

    :raise RefusedError: ``not_odoo`` or ``bad_url``
    """
    _check_url(url)
    with connection, connection.cursor() as cursor:
        _check_odoo(cursor)
        _set_parameters(cursor, _make_url_parameters(url))
        _signal(cursor)


def separate(connection: Connection, url: str) -> None:
    """Make a copy a database of its own: its address, and ids that no other one has.

    Whoever was logged in to the one that it was made of is not logged in to it.
    Commits.

    :raise RefusedError: ``not_odoo`` or ``bad_url``
    """
    _check_url(url)
    with connection, connection.cursor() as cursor:
        _check_odoo(cursor)
        _set_parameters(cursor, {**_make_url_parameters(url), **_make_ids()})
        _remove_shared_parameters(cursor)
        _signal(cursor)


def _check_url(url: str) -> None:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", url):
        raise RefusedError(f"{url!r} is not the address of a tenant.", reason="bad_url")


def _check_odoo(cursor: Cursor) -> None:
    needed = {"res_company", "res_users", "ir_config_parameter", *SIGNALS}
    missing = needed - set(_existing(cursor, sorted(needed)))
    if missing:
        raise RefusedError(
            f"The database {cursor.connection.info.dbname} is not one of Odoo 19: it"
            f" has no {', '.join(sorted(missing))}.",
            reason="not_odoo",
        )


def _existing(cursor: Cursor, tables: tuple[str, ...] | list[str]) -> list[str]:
    cursor.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind = 'r' AND relname = ANY(%s) ORDER BY relname",
        (list(tables),),
    )
    return [name for (name,) in cursor]


def _has_column(cursor: Cursor, table: str, column: str) -> bool:
    cursor.execute(
        "SELECT count(*) FROM pg_attribute WHERE attname = %s AND NOT attisdropped"
        " AND attrelid = %s::regclass",
        (column, f"public.{table}"),
    )
    return cursor.fetchone() == (1,)


def _get_company(cursor: Cursor) -> tuple[int, int]:
    cursor.execute("SELECT id, partner_id FROM res_company ORDER BY id LIMIT 1")
    found = cursor.fetchone()
    if found is None:
        raise RefusedError("The database has no company yet.", reason="not_odoo")
    return found


def _write_company(
    cursor: Cursor, company_id: int, partner_id: int, identity: Identity
) -> None:
    cursor.execute(
        "UPDATE res_company SET name = %s, email = %s,"
        " write_date = now() AT TIME ZONE 'utc' WHERE id = %s",
        (identity.company, identity.email, company_id),
    )
    _write_partner(cursor, partner_id, identity.company, identity.email)
    # What belongs to the company carries its name too.
    cursor.execute(
        "UPDATE res_partner SET commercial_company_name = %s"
        " WHERE commercial_partner_id = %s",
        (identity.company, partner_id),
    )
    cursor.execute(
        "UPDATE res_partner SET complete_name = %s || ', ' || name"
        " WHERE parent_id = %s AND name IS NOT NULL AND NOT is_company",
        (identity.company, partner_id),
    )
    if _existing(cursor, ["website"]):
        cursor.execute(
            "UPDATE website SET name = %s WHERE company_id = %s",
            (identity.company, company_id),
        )


def _write_admin(cursor: Cursor, identity: Identity) -> None:
    signature = f"<div>{html.escape(identity.name)}</div>"
    cursor.execute(
        "UPDATE res_users SET login = %s, password = NULL, active = true,"
        " signature = %s, write_date = now() AT TIME ZONE 'utc'"
        " WHERE id = %s RETURNING partner_id",
        (identity.login, signature, ADMIN_ID),
    )
    found = cursor.fetchone()
    if found is None:
        raise RefusedError("The database has no administrator.", reason="not_odoo")
    if _has_column(cursor, "res_users", "totp_secret"):
        cursor.execute(
            "UPDATE res_users SET totp_secret = NULL WHERE id = %s", (ADMIN_ID,)
        )
    _write_partner(cursor, found[0], identity.name, identity.email)


def _write_partner(cursor: Cursor, partner_id: int, name: str, email: str) -> None:
    cursor.execute(
        "UPDATE res_partner SET name = %(name)s, email = %(email)s,"
        " complete_name = CASE WHEN parent_id IS NULL OR is_company THEN %(name)s"
        " ELSE commercial_company_name || ', ' || %(name)s END,"
        " write_date = now() AT TIME ZONE 'utc' WHERE id = %(id)s",
        {"name": name, "email": email, "id": partner_id},
    )
    if _has_column(cursor, "res_partner", "email_normalized"):
        cursor.execute(
            "UPDATE res_partner SET email_normalized = lower(%s) WHERE id = %s",
            (email, partner_id),
        )


def _write_language(cursor: Cursor, partner_id: int, identity: Identity) -> None:
    """Set language and time zone of the company's and the administrator's partner."""
    mine = (
        "id IN (%(company)s, (SELECT partner_id FROM res_users WHERE id = %(admin)s))"
    )
    values = {
        "company": partner_id,
        "admin": ADMIN_ID,
        "language": identity.language,
        "timezone": identity.timezone,
    }
    if identity.timezone:
        cursor.execute(
            f"UPDATE res_partner SET tz = %(timezone)s WHERE {mine}",  # noqa: S608
            values,
        )
    if identity.language:
        cursor.execute(
            f"UPDATE res_partner SET lang = %(language)s WHERE {mine}"  # noqa: S608
            " AND EXISTS (SELECT FROM res_lang WHERE code = %(language)s AND active)",
            values,
        )
        if not cursor.rowcount:
            raise RefusedError(
                f"The template has no language {identity.language}. Choose one that"
                " it was built with.",
                reason="language_missing",
            )


def _write_country(
    cursor: Cursor, company_id: int, partner_id: int, country: str
) -> None:
    """Set the company's country, as Odoo does where a new database is given one."""
    cursor.execute("SELECT id FROM res_country WHERE code = %s", (country,))
    found = cursor.fetchone()
    if found is None:
        raise RefusedError(
            f"The template has no country {country}. Choose another one.",
            reason="country_missing",
        )
    [country_id] = found
    cursor.execute(
        "UPDATE res_partner SET country_id = %(country)s,"
        " state_id = CASE WHEN country_id = %(country)s THEN state_id END"
        " WHERE id = %(partner)s",
        {"country": country_id, "partner": partner_id},
    )
    # Where a chart of accounts is there already, its taxes are of that country.
    if _has_column(cursor, "res_company", "account_fiscal_country_id"):
        cursor.execute(
            "UPDATE res_company SET account_fiscal_country_id = %s"
            " WHERE id = %s AND account_fiscal_country_id IS NULL",
            (country_id, company_id),
        )


def _write_currency(cursor: Cursor, company_id: int, currency: str) -> None:
    """Let the company keep its books in that currency, in place of the template's.

    As many currencies stay active as were: it is by more than one that Odoo begins to
    ask for the currency everywhere.
    """
    cursor.execute("SELECT id, active FROM res_currency WHERE name = %s", (currency,))
    found = cursor.fetchone()
    if found is None:
        raise RefusedError(
            f"The template has no currency {currency}. Choose another one.",
            reason="currency_missing",
        )
    new_id, active = found
    cursor.execute("SELECT currency_id FROM res_company WHERE id = %s", (company_id,))
    old_id = next(iter(cursor))[0]
    if old_id == new_id:
        return
    _check_no_entries(cursor, company_id, currency)
    values = {"new": new_id, "old": old_id, "company": company_id}
    cursor.execute(
        "UPDATE res_company SET currency_id = %(new)s WHERE id = %(company)s", values
    )
    if not active:
        cursor.execute(
            "UPDATE res_currency SET active = true WHERE id = %(new)s", values
        )
        cursor.execute(
            "UPDATE res_currency SET active = false WHERE id = %(old)s AND NOT EXISTS"
            " (SELECT FROM res_company WHERE currency_id = %(old)s)",
            values,
        )
    if _existing(cursor, ["product_pricelist"]):
        cursor.execute(
            "UPDATE product_pricelist SET currency_id = %(new)s"
            " WHERE currency_id = %(old)s"
            " AND (company_id IS NULL OR company_id = %(company)s)",
            values,
        )


def _check_no_entries(cursor: Cursor, company_id: int, currency: str) -> None:
    """Refuse what Odoo refuses, too: to change the currency of books with entries."""
    if not _existing(cursor, ["account_move_line"]):
        return
    cursor.execute(
        "SELECT EXISTS (SELECT FROM account_move_line WHERE company_id = %s)",
        (company_id,),
    )
    if cursor.fetchone() == (True,):
        raise RefusedError(
            f"The template has journal entries, so its currency cannot become"
            f" {currency}. Choose the template's, or a template without entries.",
            reason="currency_fixed",
        )


def _make_url_parameters(url: str) -> dict[str, str]:
    return {
        "web.base.url": url,
        # Without it the next login of an administrator would overwrite the address.
        "web.base.url.freeze": "True",
    }


def _make_parameters(url: str) -> dict[str, str]:
    return {
        **_make_url_parameters(url),
        "report.url": REPORT_URL,
        **_make_ids(),
    }


def _make_ids() -> dict[str, str]:
    return {
        "database.uuid": str(uuid.uuid4()),
        # Signs the sessions' tokens: a new one ends those of what it is a copy of.
        "database.secret": str(uuid.uuid4()),
    }


def _remove_shared_parameters(cursor: Cursor) -> None:
    cursor.execute(
        "DELETE FROM ir_config_parameter WHERE key = ANY(%s)",
        (list(SHARED_PARAMETERS),),
    )


def _set_parameters(cursor: Cursor, parameters: dict[str, str]) -> None:
    for key, value in parameters.items():
        cursor.execute(
            "INSERT INTO ir_config_parameter"
            " (key, value, create_uid, write_uid, create_date, write_date)"
            " VALUES (%s, %s, 1, 1, now() AT TIME ZONE 'utc', now() AT TIME ZONE 'utc')"
            " ON CONFLICT (key) DO UPDATE"
            " SET value = excluded.value, write_date = excluded.write_date",
            (key, value),
        )


def _postpone_actions(cursor: Cursor) -> None:
    """Have nobody's Odoo begin with all that was due when its template was built."""
    for table, column in (("ir_cron", "nextcall"), ("ir_cron_trigger", "call_at")):
        cursor.execute(
            sql.SQL(
                "UPDATE {table} SET {column} = later FROM (SELECT"
                " now() AT TIME ZONE 'utc' + interval '1 hour' AS later) AS moment"
                " WHERE {column} < later"
            ).format(table=sql.Identifier(table), column=sql.Identifier(column))
        )


def _signal(cursor: Cursor) -> None:
    for table in SIGNALS:
        cursor.execute(
            sql.SQL("INSERT INTO {} DEFAULT VALUES").format(sql.Identifier(table))
        )
