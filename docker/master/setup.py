#!/usr/bin/env python3
"""Bring the master database to what the stack needs: modules, records, password.

Run in a container of the master image that has the worker's keys, as often as wanted:
it does what is missing and updates the modules. Settings come as one JSON object on
standard input, so that no secret shows up in a process list or in what inspection
tells of a container:

``admin_password``, ``tenant_domain``, ``proxy`` (values of its record: address and
certificates), ``stack``, ``network``,
``subnet``, ``bridge``, ``databases`` (volume with the sockets of tenants' own database
servers), ``docker_url``, ``tenant_gateway`` (where tenants reach PostgreSQL),
``proxy_url`` (where the worker reaches Traefik), ``gateway_url`` (where Traefik reaches
the gateway), ``base_url``, ``host`` (the master's), ``languages`` (codes, e.g.
``pt_BR``), ``mail_host`` (the stack's own mailbox, or empty), ``mail_port``,
``first_server`` (whether to make server, image and plans, or leave that to the set-up
page) and ``snapshot`` (where the modules, once installed, are kept for other stacks of
this very image, or empty).
"""

import fcntl
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.service import server
from odoo.sql_db import db_connect
from odoo.tools import config
from odoo.tools.misc import exec_pg_environ

# What a new master has. Not saas_subscription, until its portal and its dunning are
# there: who wants to try it installs it among the apps. It is tested all the same.
MODULES = ("saas", "saas_docker", "saas_website", "saas_backup")

_logger = logging.getLogger("saas.setup")


def main():
    settings = json.load(sys.stdin)
    config.parse_config(["--config", "/etc/odoo/odoo.conf"], setup_logging=True)
    [database] = config["db_name"]
    server.load_server_wide_modules()
    registry = have_modules(database, settings["snapshot"])
    with registry.cursor() as cr:
        env = api.Environment(cr, SUPERUSER_ID, {})
        set_parameters(env, settings)
        set_admin_password(env, settings["admin_password"])
        ensure_languages(env, settings["languages"])
        ensure_mail(env, settings)
        ensure_homepage(env)
        ensure_records(env, settings)
        ensure_store(env, settings["stack"])


def have_modules(database, name):
    """Have our modules installed, by a snapshot where there is one."""
    if not name or is_initialised(database):
        return install_modules(database)
    snapshot = Path(name)
    # Whoever comes meanwhile waits rather than install the same once more.
    with snapshot.with_name(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if snapshot.exists():
            return restore_snapshot(database, snapshot)
        registry = install_modules(database)
        keep_snapshot(database, snapshot)
        return registry


def keep_snapshot(database, snapshot):
    """Keep what was installed, whole or not at all, and nothing older."""
    part = snapshot.with_name(".part")
    for older in (part, *snapshot.parent.glob("*")):
        shutil.rmtree(older, ignore_errors=True)
    part.mkdir()
    dump = ["pg_dump", "--format=custom", "--compress=0", "--no-owner"]
    # The extensions are there already in a new database, and not ours to comment on.
    run_postgres(*dump, "--no-comments", f"--file={part}/dump", database)
    shutil.copytree(config.filestore(database), part / "filestore")
    part.rename(snapshot)


def restore_snapshot(database, snapshot):
    """Have what was installed there, as a database of its own."""
    _logger.info("restoring our modules as they were installed")
    files = config.filestore(database)
    shutil.copytree(snapshot / "filestore", files, dirs_exist_ok=True)
    restore = ["pg_restore", "--single-transaction", "--no-owner"]
    run_postgres(*restore, f"--dbname={database}", snapshot / "dump")
    registry = Registry.new(database)
    with registry.cursor() as cr:
        env = api.Environment(cr, SUPERUSER_ID, {})
        env["ir.config_parameter"].init(force=True)
    return registry


def run_postgres(*argv):
    subprocess.run(argv, env=exec_pg_environ(), check=True)


def install_modules(database):
    """Install our modules, or update them to the code of this image."""
    installed = is_initialised(database)
    _logger.info("%s our modules", "updating" if installed else "installing")
    return Registry.new(
        database,
        update_module=True,
        install_modules=MODULES,
        upgrade_modules=MODULES if installed else (),
        new_db_demo=False,
    )


def is_initialised(database):
    with db_connect(database).cursor() as cr:
        cr.execute(
            "SELECT 1 FROM pg_tables WHERE tablename = 'ir_module_module' LIMIT 1"
        )
        return bool(cr.fetchone())


def set_parameters(env, settings):
    parameters = env["ir.config_parameter"]
    for key, value in {
        "saas.tenant_domain": settings["tenant_domain"],
        "web.base.url": settings["base_url"],
        "web.base.url.freeze": "True",
        "report.url": "http://127.0.0.1:8069",
    }.items():
        if parameters.get_param(key) != value:
            parameters.set_param(key, value)


def set_admin_password(env, password):
    """Set the administrator's password where it is not the given one already."""
    admin = env.ref("base.user_admin")
    env.cr.execute("SELECT password FROM res_users WHERE id = %s", (admin.id,))
    [stored] = env.cr.fetchone()
    context = env["res.users"]._crypt_context()
    if not stored or not context.verify(password, stored):
        admin.password = password


def ensure_languages(env, codes):
    """Have the master and its website speak these languages too.

    One that is there stays as its operator has set it up.
    """
    known = env["res.lang"].with_context(active_test=False)
    for code in codes:
        language = known.search([("code", "=", code)])
        if not language:
            raise SystemExit(f"Odoo knows no language {code}: see SAAS_LANGUAGES.")
        if not language.active:
            _logger.info("loading the language %s", code)
            env["base.language.install"].create(
                {
                    "lang_ids": language.ids,
                    "website_ids": env["website"].search([]).ids,
                }
            ).lang_install()


def ensure_mail(env, settings):
    """Have mail go out to the stack's mailbox, where it has one."""
    company = env.ref("base.main_company")
    if not company.email:
        company.email = f"no-reply@{settings['host']}"
    server = env.ref("__setup__.mailbox", raise_if_not_found=False)
    if settings["mail_host"]:
        ensure(
            env,
            "mailbox",
            "ir.mail_server",
            {
                "name": "Mailbox of the stack",
                "smtp_host": settings["mail_host"],
                "smtp_port": settings["mail_port"],
                "smtp_encryption": "none",
                "active": True,
            },
        )
    elif server and server.active:
        server.active = False


def ensure_homepage(env):
    """Let a new website begin with the plans; afterwards it is its editors' own."""
    parameters = env["ir.config_parameter"]
    if not parameters.get_param("saas.homepage_set"):
        env["website"].search([], limit=1).homepage_url = "/plans"
        parameters.set_param("saas.homepage_set", "True")


def ensure_records(env, settings):
    """Have what the stack knows of itself in records, or ready for the set-up page."""
    steps = env["saas.setup.step"]
    known = describe_stack(settings)
    steps._set_known(known)
    for name in known:
        if settings["first_server"] or steps._find_known(name):
            steps._ensure_known(name)
    if settings["first_server"]:
        steps._find_known("database_server")._adopt_password()
        saas_server = steps._find_known("server")
        saas_server._prepare()
        ensure_plans(env, saas_server)


def describe_stack(settings):
    """Return the values of each record in the order of making; no secret."""
    return {
        "database_server": {
            "name": "PostgreSQL of the stack",
            "host": "db",
            "port": 5432,
            "user": "saas_provisioner",
            "tenant_host": settings["tenant_gateway"],
            "tenant_port": 5432,
            "stack": settings["stack"],
        },
        "proxy": {
            "name": "Traefik of the stack",
            **settings["proxy"],
            "internal_url": settings["proxy_url"],
            "gateway_url": settings["gateway_url"],
        },
        "server": {
            "name": "This machine",
            "driver": "docker",
            "docker_url": settings["docker_url"],
            "docker_stack": settings["stack"],
            "docker_network": settings["network"],
            "docker_subnet": settings["subnet"],
            "docker_bridge": settings["bridge"],
            "docker_databases": settings["databases"],
        },
        "image_19": {
            "name": "Odoo 19.0",
            "version": "19.0",
            "reference": "saas-odoo:19.0",
        },
    }


def ensure_plans(env, saas_server):
    image = env["saas.setup.step"]._find_known("image_19")
    basic = ensure(
        env,
        "plan_basic",
        "saas.plan",
        {
            "name": "Basic",
            "image_id": image.id,
            "modules": "base",
            "sequence": 10,
            "is_published": True,
            "website_tagline": "An Odoo to begin with: add the apps that you need.",
        },
        once=True,
        translations={
            "website_tagline": {
                "pt_BR": "Um Odoo para começar: adicione os aplicativos que quiser.",
                "es": "Un Odoo para empezar: añada las aplicaciones que necesite.",
            }
        },
    )
    ensure(
        env,
        "plan_business",
        "saas.plan",
        {
            "name": "Business",
            "image_id": image.id,
            "modules": "website,sale_management",
            "memory": 768,
            "sequence": 20,
            "is_published": True,
            "website_tagline": "Website, quotations and sales orders, ready to use.",
            "website_highlight": True,
        },
        once=True,
        translations={
            "website_tagline": {
                "pt_BR": "Site, cotações e pedidos de venda, prontos para usar.",
                "es": "Sitio web, presupuestos y pedidos de venta, listos para usar.",
            }
        },
    )
    template = env["saas.template"]._get_or_create(
        image=image,
        modules=basic._get_modules(),
        lang="en_US",
        server=saas_server,
        database_server=saas_server.database_server_id,
    )
    if template.state != "ready":
        template.action_build()


def ensure_store(env, stack):
    """Give backups a place on this machine, until an operator names a better one."""
    values = {
        "name": "This machine",
        "kind": "directory",
        "volume": f"{stack}-backups",
    }
    ensure(env, "store", "saas.store", values, once=True)


def ensure(env, name, model, values, *, once=False, translations=None):
    """Return the record of that name, created or brought to the values.

    :param bool once: leave an existing one alone, it is the operator's to edit
    :param dict translations: of a new one, by field and language; those of languages
        that the master does not speak are left out
    """
    xmlid = f"__setup__.{name}"
    record = env.ref(xmlid, raise_if_not_found=False)
    if not record:
        record = env[model].create(values)
        env["ir.model.data"]._update_xmlids(
            [{"xml_id": xmlid, "record": record, "noupdate": True}]
        )
        spoken = dict(env["res.lang"].get_installed())
        for field, texts in (translations or {}).items():
            record.update_field_translations(
                field, {lang: text for lang, text in texts.items() if lang in spoken}
            )
    elif not once:
        current = record.read(list(values), load=False)[0]
        changed = {key: value for key, value in values.items() if current[key] != value}
        if changed:
            record.write(changed)
    return record


if __name__ == "__main__":
    main()
