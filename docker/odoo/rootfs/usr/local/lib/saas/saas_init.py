#!/usr/bin/python3
"""Initialises the empty database that the configuration names, for cloning.

    saas-init --modules website,sale_management --language fr_FR

Installs the modules without demo data, loads the language, generates the web assets
that real visits ask for, and leaves the database so that a clone needs no more than
its own names: no sessions, no passwords, no traces of the visits.

Standard output tells the progress. When it fails, the exit status is 1 and the last
line of standard error says why in one sentence.
"""

from __future__ import annotations

import argparse
import csv
import os
import pathlib
import re
import shutil
import sys
import time
import traceback

REPORT_URL = "http://127.0.0.1:8069"
"""Where a tenant's own container finds the style sheets of its reports."""

MARKER = "saas_agent.initialised"
"""Configuration parameter that a finished initialisation leaves."""

PAGES = (("/web/login", False), ("/odoo", True))
WEBSITE_PAGES = (("/", False), ("/", True))

LAZY_BUNDLES = (
    "web.assets_backend_lazy",
    "web.assets_emoji",
    "web.chartjs_lib",
    "web.fullcalendar_lib",
    "web.report_assets_common",
    "web.report_assets_pdf",
)
WEBSITE_BUNDLES = (
    "website.website_builder_assets",
    "website.inside_builder_style",
    "website.assets_inside_builder_iframe",
)

URL = re.compile(r"""(?:src|href)=["'](/[^"'#]+)["']""")
MODULE_NAME = re.compile(r"[a-z][a-z0-9_]*")


class InitError(Exception):
    """The database cannot be initialised; the message is one sentence."""


def parse_arguments(argv=None):
    """Read the command line; ``modules`` becomes a list without doubles."""
    parser = argparse.ArgumentParser(prog="saas-init", description=__doc__)
    parser.add_argument("--modules", default="base", help="names, by commas")
    parser.add_argument("--language", default="en_US", help="e.g. fr_FR")
    arguments = parser.parse_args(argv)
    names = (name.strip() for name in arguments.modules.split(","))
    arguments.modules = list(dict.fromkeys(name for name in names if name)) or ["base"]
    for name in arguments.modules:
        if not MODULE_NAME.fullmatch(name):
            parser.error(f"{name!r} is no name of a module")
    return arguments


def find_asset_urls(html):
    """Local files that a browser would fetch for a page, in order, without doubles."""
    urls = (url.replace("&amp;", "&") for url in URL.findall(html))
    return list(dict.fromkeys(url for url in urls if url.startswith("/web/assets/")))


def last_line(error):
    """What went wrong, as one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


class Progress:
    """Says on standard output what is done, and how long it took."""

    def __init__(self):
        self._start = self._last = time.monotonic()

    def __call__(self, message):
        now = time.monotonic()
        sys.stdout.write(f"saas-init: {message} ({now - self._last:.1f} s)\n")
        sys.stdout.flush()
        self._last = now

    def total(self):
        """Seconds since the start."""
        return time.monotonic() - self._start


def configure(language):
    """Read the configuration as the server does, and name the one database.

    :raise InitError: if there is not exactly one
    """
    from odoo.tools import config

    path = os.environ.get("ODOO_RC", "/etc/odoo/odoo.conf")
    options = ["--config", path, "--no-http", "--max-cron-threads", "0"]
    options += ["--workers", "0", "--log-level", "warn", "--load-language", language]
    config.parse_config(options, setup_logging=True)
    if len(config["db_name"]) != 1:
        raise InitError(f"{path} must name exactly one database (db_name)")
    return config["db_name"][0]


def check_modules(names):
    """Refuse unknown modules before anything is written.

    :raise InitError: naming them all
    """
    from odoo.modules.module import Manifest

    unknown = []
    for name in names:
        manifest = Manifest.for_addon(name, display_warning=False)
        if not manifest or not manifest["installable"]:
            unknown.append(name)
    if unknown:
        raise InitError(f"unknown module: {', '.join(unknown)}")


def check_language(code):
    """Refuse a language that Odoo does not know.

    :raise InitError: naming it
    """
    from odoo.tools import file_path

    with open(file_path("base/data/res.lang.csv"), encoding="utf-8") as file:
        known = {row["code"] for row in csv.DictReader(file)}
    if code not in known:
        raise InitError(f"unknown language: {code}")


def prepare_database(name):
    """Look whether the database is empty, and make it ready to be filled.

    :return: whether an earlier run has finished already
    :raise InitError: if it cannot be opened, or holds something else
    """
    import psycopg2

    from odoo import sql_db

    try:
        with sql_db.db_connect(name).cursor() as cr:
            cr.execute("SELECT to_regclass('ir_config_parameter')")
            if cr.fetchone()[0]:
                cr.execute(
                    "SELECT 1 FROM ir_config_parameter WHERE key = %s", (MARKER,)
                )
                if cr.fetchone():
                    return True
                raise InitError(f"the database {name} is not empty")
            # Search needs it; without it Odoo works, only slower.
            cr.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except psycopg2.Error as error:
        raise InitError(f"database {name}: {last_line(error)}") from error
    return False


def install(name, modules):
    """Install the modules and all that they need, without demo data.

    :raise InitError: if one is not installed afterwards
    """
    from odoo.modules.registry import Registry
    from odoo.service.server import load_server_wide_modules

    load_server_wide_modules()
    registry = Registry.new(
        name, update_module=True, install_modules=modules, new_db_demo=False
    )
    with registry.cursor() as cr:
        cr.execute(
            "SELECT name FROM ir_module_module WHERE state = 'installed'"
            " AND name = ANY(%s)",
            (modules,),
        )
        missing = set(modules) - {row[0] for row in cr.fetchall()}
    if missing:
        raise InitError(f"not installed: {', '.join(sorted(missing))}")


def set_defaults(name, language):
    """Set the language everywhere, and what every clone has in common."""
    from odoo import SUPERUSER_ID, api
    from odoo.modules.registry import Registry

    with Registry(name).cursor() as cr:
        env = api.Environment(cr, SUPERUSER_ID, {})
        lang = env["res.lang"]._lang_get(language)
        users = env["res.users"].with_context(active_test=False).search([])
        users.partner_id.write({"lang": language})
        env["res.company"].search([]).partner_id.write({"lang": language})
        env["ir.default"].set("res.partner", "lang", language)
        if "website" in env:
            env["website"].search([]).write(
                {"language_ids": [(6, 0, lang.ids)], "default_lang_id": lang.id}
            )
        parameters = env["ir.config_parameter"]
        parameters.set_param("report.url", REPORT_URL)
        parameters.set_param("web.base.url.freeze", "True")


class Visitor:
    """Visits pages inside this process, as nobody and as the administrator."""

    def __init__(self, name):
        from werkzeug.test import Client

        from odoo import http

        self._name = name
        self._anonymous = Client(http.root)
        self._administrator = Client(http.root)
        self._administrator.set_cookie("session_id", self._log_in())
        self._seen = set()

    def _log_in(self):
        from odoo import api, http
        from odoo.modules.registry import Registry
        from odoo.service import security

        with Registry(self._name).cursor() as cr:
            env = api.Environment(cr, 2, {})
            session = http.root.session_store.new()
            session.update(
                http.get_default_session(), db=self._name, _trace_disable=True
            )
            session.uid = env.uid
            session.login = env.user.login
            session.context = dict(env["res.users"].context_get())
            session.session_token = security.compute_session_token(session, env)
            http.root.session_store.save(session)
        return session.sid

    def visit(self, path, logged_in):
        """Fetch a page and all of its assets.

        :raise InitError: if one of them does not answer
        """
        response = self._get(path, logged_in)
        for url in find_asset_urls(response.get_data(as_text=True)):
            self._fetch(url, logged_in)

    def load_bundle(self, bundle):
        """Fetch the files of a bundle that pages load later."""
        for entry in self._get(f"/web/bundle/{bundle}", True).get_json():
            if entry.get("src"):
                self._fetch(entry["src"], True)

    def _fetch(self, url, logged_in):
        if url not in self._seen:
            self._seen.add(url)
            self._get(url, logged_in)

    def _get(self, path, logged_in):
        client = self._administrator if logged_in else self._anonymous
        response = client.get(path)
        if response.status_code != 200:
            raise InitError(f"{path} answers {response.status_code}")
        response.get_data()
        return response

    def count(self):
        """How many assets were fetched."""
        return len(self._seen)


def generate_assets(name):
    """Visit what a new customer visits first, so that clones need not generate it.

    :return: number of assets
    """
    from odoo import api
    from odoo.modules.registry import Registry

    with Registry(name).cursor() as cr:
        website = "website" in api.Environment(cr, 1, {})
    visitor = Visitor(name)
    for path, logged_in in PAGES + (WEBSITE_PAGES if website else ()):
        visitor.visit(path, logged_in)
    for bundle in LAZY_BUNDLES + (WEBSITE_BUNDLES if website else ()):
        visitor.load_bundle(bundle)
    return visitor.count()


def clean(name):
    """Take away what must not be in a clone, mark the end, and make it small."""
    from odoo import sql_db
    from odoo.tools import config

    with sql_db.db_connect(name).cursor() as cr:
        # An administrator without password logs in by a link or sets one first.
        cr.execute("UPDATE res_users SET password = NULL")
        for table in ("res_users_log", "res_device_log", "bus_bus", "ir_logging"):
            cr.execute("SELECT to_regclass(%s)", (table,))
            if cr.fetchone()[0]:
                cr.execute(f'DELETE FROM "{table}"')  # noqa: S608 (names above)
        cr.execute(
            "INSERT INTO ir_config_parameter (key, value) VALUES (%s, 'True')"
            " ON CONFLICT (key) DO NOTHING",
            (MARKER,),
        )
    shutil.rmtree(config.session_dir, ignore_errors=True)
    shutil.rmtree(pathlib.Path(config.filestore(name), "checklist"), ignore_errors=True)
    sql_db.close_all()
    vacuum(name)


def vacuum(name):
    """Give back what the installation has left dead: a clone copies every page."""
    from odoo import sql_db

    cr = sql_db.db_connect(name).cursor()
    cr._cnx.autocommit = True
    cr.execute("VACUUM (FULL, ANALYZE)")
    cr.close()
    sql_db.close_all()


def run(arguments):
    """Do it all, in order.

    :raise InitError: with one sentence when it cannot be done
    """
    progress = Progress()
    name = configure(arguments.language)
    check_modules(arguments.modules)
    check_language(arguments.language)
    if prepare_database(name):
        progress(f"database {name} is initialised already")
        return
    progress(f"database {name} is empty and can be opened")
    install(name, arguments.modules)
    progress(f"installed {', '.join(arguments.modules)}")
    set_defaults(name, arguments.language)
    progress(f"language {arguments.language} and defaults set")
    count = generate_assets(name)
    progress(f"{count} assets generated")
    clean(name)
    progress("cleaned")
    progress(f"done in {progress.total():.1f} s")


def report_unforeseen(kind, error, trace):
    """Show the whole of an unforeseen error, then one line that says it."""
    traceback.print_exception(kind, error, trace)
    sys.stderr.write(f"saas-init: {kind.__name__}: {last_line(error)}\n")


def main(argv=None):
    """Entry point; the exit status."""
    sys.excepthook = report_unforeseen
    arguments = parse_arguments(argv)
    try:
        run(arguments)
    except InitError as error:
        sys.stderr.write(f"saas-init: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
