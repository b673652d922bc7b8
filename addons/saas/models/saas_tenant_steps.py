import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import requests
from psycopg2 import errors as pg_errors
from pytz import country_timezones

from odoo import fields, models
from odoo.tools import SQL

from ..const import UNFINISHED
from ..engine import odoo_database, tenant_config
from ..engine.driver import Limits, Phase, TaskPhase, TaskSpec, TenantSpec
from ..engine.errors import RefusedError, RetryableError
from ..engine.proxy import Route
from .saas_plan import MEGABYTE
from .saas_sealed_mixin import WEB_KEYS

_logger = logging.getLogger(__name__)

READY_SECONDS = 15
READY_INTERVAL = 0.05
SEED_TASK = "seed"
SEED_LIMITS = Limits(memory=256 * MEGABYTE, cpus=1.0)


class SaasTenant(models.Model):
    """The steps of a tenant's operations: each looks, then does what is missing."""

    _inherit = "saas.tenant"

    def _driver(self):
        return self.server_id._get_driver()

    def _database_server(self):
        return self.database_server_id._get_database_server()

    def _proxy(self):
        return self.server_id.proxy_id._get_proxy()

    # === PROVISION === #

    def _step_place(self):
        """Choose the server, a slot on it, and the template, built if it must be."""
        if self.slot < 0:
            self.server_id = self.env["saas.server"]._place(
                self.plan_id, self.company_id, chosen=self.server_id
            )
        self._settle()
        self.template_id = self.env["saas.template"]._get_or_create(
            image=self.image_id,
            modules=self.plan_id._get_modules(),
            lang=self.lang,
            server=self.server_id,
            # One beside the tenant gets a copy of the template there.
            database_server=self._get_shared_database_server(),
        )
        if self.template_id.state != "ready":
            self.env["saas.operation"]._record("build", self.template_id)

    def _settle(self):
        """Take a place on the server that was chosen, and a database server there."""
        self._check_own_database_server()
        if self.slot < 0:
            self._take_slot_or_place_again()
        self._have_own_database_server()

    def _check_own_database_server(self):
        if not self.database_server_id:
            self.database_server_id = self.server_id.database_server_id
        owner = self.database_server_id.owner_tenant_id
        if owner and owner != self:
            raise RefusedError(
                self.env._(
                    "The database server %(server)s belongs to %(owner)s alone.",
                    server=self.database_server_id.name,
                    owner=owner.name,
                ),
                reason="foreign",
            )

    def _take_slot_or_place_again(self):
        try:
            self._take_slot()
        except RefusedError as error:
            # Others took the last ones since the server was chosen.
            raise RetryableError(error.message, reason=error.reason) from error

    def _take_slot(self):
        for slot in self.server_id._get_free_slots():
            try:
                with self.env.cr.savepoint():
                    self._write_slot(slot)
                    return
            except pg_errors.UniqueViolation:
                continue  # somebody else took it at this moment
        raise RefusedError(
            self.env._("The server %s has no room left.", self.server_id.name),
            reason="no_room",
        )

    def _write_slot(self, slot):
        # By SQL, as a slot that is taken is nothing for the log, and the ORM's own
        # writes always tell it.
        self.env.cr.execute(
            SQL("UPDATE saas_tenant SET slot = %s WHERE id = %s", slot, self.id),
            log_exceptions=False,
        )
        self.invalidate_recordset(["slot"], flush=False)
        self.modified(["slot"])

    def _step_template(self):
        """Wait for the template; who builds it is its own operation."""
        template = self.template_id
        if template.state == "ready":
            return
        if self.wanted == "deleted":
            raise RefusedError(
                self.env._("%s is not wanted any more.", self.name), reason="deleted"
            )
        build = template.operation_ids.filtered(lambda o: o.kind == "build")[:1]
        if build.state not in UNFINISHED:
            raise RefusedError(
                build.message or self.env._("The template was discarded."),
                reason="build_failed",
            )
        raise RetryableError(
            self.env._("The template %s is being built.", template.name),
            reason="not_ready",
            seconds=2,
            waiting=True,
        )

    def _step_closed_role(self):
        """Have the role, and nobody log in with it before all is as it should be."""
        self._ensure_role(login=False)

    def _step_open(self):
        """Let Odoo in: it waits for its database where its container was started."""
        self._ensure_role(login=True)

    def _ensure_role(self, *, login, purpose="database"):
        """Have its role in the database.

        :param purpose: what the password is for, and so who may use it
        """
        self._ensure_own_database_server()
        self._database_server().ensure_role(
            self.uid,
            self._derive_secret(purpose),
            connection_limit=self.plan_id.connections,
            login=login,
        )

    def _step_database(self):
        """Clone the template; meanwhile its filestore is copied, and Odoo starts.

        Starting takes longer than all of that. Odoo waits for its database, into which
        its role is let when it is the customer's and its files are there.
        """
        uid, driver = self.uid, self._driver()
        seed, spec = self._prepare_seed(), self._prepare_spec()
        if spec.database:
            # The tenant's own role fills it, and Odoo must not come in meanwhile.
            driver.start_task(uid, seed)
            self._bring_database()
            return
        with ThreadPoolExecutor(max_workers=2) as pool:
            prepared = [
                pool.submit(driver.start_task, uid, seed),
                pool.submit(driver.ensure, spec),
            ]
            self._database_server().clone(self.template_id.uid, uid)
            for part in prepared:
                part.result()

    def _prepare_seed(self):
        """Return the task that copies the template's filestore."""
        return TaskSpec(
            key=SEED_TASK,
            image=self.server_id.toolbox_image,
            command=("saas-seed", self.template_id.uid, self.uid),
            limits=SEED_LIMITS,
            source=self.template_id.uid,
        )

    def _step_identity(self):
        with self._database_server().connect(self.uid) as connection:
            odoo_database.personalise(connection, self._prepare_identity())

    def _prepare_identity(self):
        partner = self.partner_id
        return odoo_database.Identity(
            company=partner.commercial_partner_id.display_name,
            name=partner.display_name,
            login=partner.email or "admin",
            email=partner.email or "",
            url=self.url,
            language=self.lang,
            timezone=self._get_timezone(),
            country=self.country_id.code or "",
            currency=self.currency_id.name or "",
        )

    def _get_timezone(self):
        """Return the time zone of a country that has but one, as Odoo does itself."""
        zones = country_timezones.get(self.country_id.code or "", [])
        return zones[0] if len(zones) == 1 else ""

    def _step_files(self):
        """Wait until the filestore is there; Odoo without it would be a blank page."""
        self._driver().start_task(self.uid, self._prepare_seed())
        self._wait_for_task(
            SEED_TASK,
            RetryableError(
                self.env._("The files of the template could not be copied."),
                reason="seed_failed",
            ),
            self.env._("The files of the template are still being copied."),
        )

    def _wait_for_task(self, key, failed, waiting):
        """Wait until a task is done; one that failed is removed, to be tried again.

        :param failed: the error then
        :param str waiting: what is said when it takes its time
        """
        driver = self._driver()
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            task = driver.observe_task(self.uid, key)
            if task.phase == TaskPhase.DONE:
                return
            if task.phase == TaskPhase.FAILED:
                _logger.warning("%s of %s: %s", key, self.uid, task.log)
                driver.delete_task(self.uid, key)
                raise failed
            time.sleep(READY_INTERVAL)
        raise RetryableError(waiting, reason="not_ready", seconds=2, waiting=True)

    def _step_route(self):
        self._check_may_run()
        self._proxy().put_route(self._prepare_route())

    def _prepare_route(self, pages=()):
        """Return the route that leads to it, with pages for while it wakes."""
        target = self._driver().target(self._prepare_spec())
        return Route(
            uid=self.uid,
            hosts=(self._get_host(),),
            http=target.http,
            websocket=target.websocket,
            pages=pages,
            redirects=self.domain_ids._get_redirects(),
        )

    def _check_may_run(self):
        """Refuse to bring back what was held or deleted since it was asked for."""
        if self.provisioned_on and (self.hold_ids or self.wanted == "deleted"):
            raise RefusedError(
                self.env._("%s may not run now.", self.name), reason="superseded"
            )

    def _step_container(self):
        self._check_may_run()
        self._driver().ensure(self._prepare_spec())

    def _prepare_spec(self):
        """Return the container that this tenant should have."""
        plan = self.plan_id
        return TenantSpec(
            uid=self.uid,
            image=self.image_id.reference,
            slot=self.slot,
            host=self._get_host(),
            limits=Limits(
                memory=plan.memory * MEGABYTE,
                cpus=plan.cpus,
                processes=plan.processes,
            ),
            files={"odoo.conf": self._make_config("database")},
            evented=bool(plan.workers),
            database=self._prepare_own_database_server(),
        )

    def _make_config(self, purpose):
        """Return the configuration of its Odoo, with the password for a purpose."""
        plan = self.plan_id
        return tenant_config.make_config(
            uid=self.uid,
            database_host=self.database_server_id.tenant_host,
            database_port=self.database_server_id.tenant_port,
            password=self._derive_secret(purpose),
            admin_password=self._derive_secret("admin"),
            public_key=self.env["saas.sealed.mixin"]._read_key(
                WEB_KEYS / "login_public"
            ),
            connections=plan.connections,
            workers=plan.workers,
        )

    def _step_ready(self):
        """Wait until the tenant answers through its proxy."""
        driver = self._driver()
        # Odoo needs the time that this takes anyway.
        driver.delete_task(self.uid, SEED_TASK)
        until = time.monotonic() + READY_SECONDS
        while not self._answers():
            observation = driver.observe(self.uid)
            if observation.phase in (Phase.ABSENT, Phase.STOPPED, Phase.FAILED):
                raise RetryableError(
                    self.env._(
                        "The container of %(name)s does not run: %(cause)s",
                        name=self.name,
                        cause=observation.message or observation.phase,
                    ),
                    reason="not_running",
                )
            if time.monotonic() > until:
                raise RetryableError(
                    self.env._(
                        "%s does not answer yet. If this goes on, look at its log.",
                        self.name,
                    ),
                    reason="not_ready",
                )
            time.sleep(READY_INTERVAL)
        self.write(
            {
                "observed": "running",
                "observed_message": False,
                "look_on": False,
                "provisioned_on": self.provisioned_on or fields.Datetime.now(),
            }
        )

    def _answers(self):
        """Whether all of the tenant's processes answer through its proxy."""
        if self._ask("/web/health") != 200:
            return False
        # A database without websockets has no such page, which is an answer too.
        return not self.plan_id.workers or self._ask("/websocket/health") in (200, 404)

    def _ask(self, path):
        """Return the status of a page of the tenant, None where none came."""
        try:
            return requests.get(
                f"{self.server_id.proxy_id.internal_url}{path}",
                headers={"Host": self._get_host()},
                timeout=5,
                allow_redirects=False,
            ).status_code
        except requests.RequestException:
            return None

    def _step_read_log(self):
        self.log = self._driver().logs(self.uid)

    # === POWER === #

    def _step_stop(self):
        driver = self._driver()
        driver.stop(self.uid)
        self._write_observation(driver.observe(self.uid))

    def _step_doze(self):
        """Have the gateway hold whatever comes from now on, and wake it."""
        self._check_may_run()
        if use := self._check_unused():
            self._note_times(use)
        self._lead_by_gateway()

    def _lead_by_gateway(self):
        """Have its address wake it, and wait until that counts."""
        if not self.server_id.proxy_id.gateway_url:
            self._proxy().put_route(self._prepare_route())
            return
        self._proxy().put_route(self._prepare_route(self._prepare_waking_pages()))
        until = time.monotonic() + READY_SECONDS
        # The gateway wakes nobody for this question, and answers it itself.
        while self._answers():
            if time.monotonic() > until:
                raise RetryableError(
                    self.env._("The proxy does not lead %s to the gateway.", self.name),
                    reason="not_ready",
                )
            time.sleep(READY_INTERVAL)

    def _step_pause(self):
        """Pause it, unless somebody came before the gateway held whoever comes."""
        self._check_unused()
        driver = self._driver()
        if driver.observe(self.uid).phase != Phase.STOPPED:
            driver.pause(self.uid)
        self._write_observation(driver.observe(self.uid))

    def _step_rest(self):
        """Stop who sleeps, unless somebody has woken it meanwhile."""
        driver = self._driver()
        if driver.observe(self.uid).phase == Phase.PAUSED:
            driver.stop(self.uid)
        self._write_observation(driver.observe(self.uid))

    def _step_unroute(self):
        if self.server_id:
            self._proxy().delete_route(self.uid)

    # === REMOVAL: nothing that is not ours is ever touched === #

    def _check_removable(self):
        """Never remove what a customer uses, however old the request is.

        Of an archived tenant nobody uses anything but the copy.
        """
        if self.provisioned_on and not self.archived_on:
            self._check_unwanted()

    def _check_unwanted(self):
        """Never give up what somebody wants back, however old the request is."""
        if self.wanted != "deleted":
            raise RefusedError(
                self.env._("%s is in use; nothing of it is removed.", self.name),
                reason="in_use",
            )

    def _step_put_away(self):
        """Decide that its last copy stands for the tenant; from here on it does."""
        self._check_unwanted()
        self._check_last_copy()
        now = fields.Datetime.now()
        kept = timedelta(days=self.plan_id._get_archive_days())
        self.write({"archived_on": now, "erase_on": now + kept})

    def _check_last_copy(self):
        """Refuse to archive a tenant without a proven copy of what it is.

        Addons that keep copies override it.
        """
        raise RefusedError(self._explain_no_archive(), reason="unproven")

    def _step_remove_container(self):
        self._check_removable()
        if not self.server_id:
            return
        driver = self._driver()
        with self._leaving_foreign_alone():
            driver.delete(self.uid, keep_data=False)
            self._write_observation(driver.observe(self.uid))

    def _step_remove_database(self):
        self._check_removable()
        if server := self._get_shared_database_server():
            with self._leaving_foreign_alone():
                server._get_database_server().drop_database(self.uid)

    def _step_remove_role(self):
        self._check_removable()
        if server := self._get_shared_database_server():
            with self._leaving_foreign_alone():
                server._get_database_server().drop_role(self.uid)

    @contextmanager
    def _leaving_foreign_alone(self):
        """What has the name but is not ours stays, and nothing of ours is left."""
        try:
            yield
        except RefusedError as error:
            if error.reason != "foreign":
                raise
            _logger.warning("%s: %s", self.uid, error.message)

    def _step_release(self):
        """Give back the place on the server."""
        self._forget_own_database_server()
        self.slot = -1

    def _step_forget(self):
        """Destroy the key of all its secrets, and put its names into quarantine."""
        self.write(
            {
                "data_key_sealed": False,
                "erased_on": fields.Datetime.now(),
                "erase_on": False,
            }
        )
        self.domain_ids.filtered(
            lambda d: not d.released_on
        ).released_on = fields.Datetime.now()
