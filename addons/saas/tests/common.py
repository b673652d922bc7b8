import copy
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from odoo.tests import TransactionCase, new_test_user

from odoo.addons.base.models.ir_qweb import IrQweb
from odoo.addons.queue_job.exception import RetryableJobError

from ..engine import sealing
from ..engine.driver import Phase
from ..engine.fake import FakeDatabaseServer, FakeDriver, FakeProxy
from ..engine.tenant_use import Use
from ..models import saas_sealed_mixin, saas_tenant_actions, saas_tenant_steps

IMAGE = "saas-odoo:19.0"
IMAGES = frozenset({IMAGE, "saas-toolbox", "saas-postgres"})

# Odoo makes the bundles of all pages before tests with pages, which takes 20 seconds.
# No browser asks for them here; the end-to-end tests have browsers.
IrQweb._pregenerate_assets_bundles = lambda _self: []


def new_user(env, login, **values):
    """Create a user who is sent no invitation: that takes as long as many a test."""
    return new_test_user(env, login, context={"no_reset_password": True}, **values)


class SaasCommon(TransactionCase):
    """A master whose server, proxy and database server are kept in memory.

    Nothing outside can be reached: the seams give fakes, whatever a record says.
    What ``prepare`` makes and keeps on ``self`` is made once for a class, and each test
    finds it as it was left then, the fakes too.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._use_own_keys()
        # Providers add the real ones; none of them may be used here.
        field = cls.env["saas.server"]._fields["driver"]
        cls.classPatch(field, "selection", [("fake", "Fake")])
        cls.classPatch(field, "_selection", {"fake": "Fake"})
        cls.proxy = cls.env["saas.proxy"].create(
            {
                "name": "Traefik",
                "port": 8080,
                "internal_url": "http://127.0.0.1:9",
                "gateway_url": "http://127.0.0.1:9",
            }
        )
        cls.database_server = cls.env["saas.database.server"].create(
            {
                "name": "PostgreSQL",
                "host": "db",
                "tenant_host": "172.28.0.1",
                "password": "provisioner-secret",
            }
        )
        cls.server = cls.env["saas.server"].create(
            {
                "name": "First server",
                "driver": "fake",
                "proxy_id": cls.proxy.id,
                "database_server_id": cls.database_server.id,
            }
        )
        cls.env["saas.server"].search([("id", "!=", cls.server.id)]).active = False
        cls.image = cls.env["saas.image"].search(
            [("reference", "=", IMAGE)]
        ) or cls.env["saas.image"].create({"name": "Odoo 19.0", "reference": IMAGE})
        cls.plan = cls.env["saas.plan"].create(
            {"name": "Basic", "image_id": cls.image.id, "modules": "base"}
        )
        cls.customer = cls.env["res.partner"].create(
            {"name": "Alfa Ltd", "email": "ann@alfa.example", "is_company": True}
        )
        cls.operator = new_user(cls.env, "operator", groups="saas.group_operator")
        cls.viewer = new_user(cls.env, "viewer", groups="saas.group_viewer")
        cls.manager = new_user(cls.env, "manager", groups="saas.group_manager")

    def setUp(self):
        self._use_fakes()
        if "_prepared" not in vars(type(self)):
            self._prepare_class()
        super().setUp()
        # All at once: what they have of one another they go on having.
        vars(self).update(copy.deepcopy(self._prepared))

    def _prepare_class(self):
        """Prepare before the first test begins, so that its end takes nothing back."""
        before = set(vars(self))
        self._make_fakes()
        self.prepare()
        made = {key: value for key, value in vars(self).items() if key not in before}
        type(self)._prepared = made

    def prepare(self):
        """Make what all tests of the class begin with; patches belong in ``setUp``."""

    def _make_fakes(self):
        self.driver = FakeDriver(images=set(IMAGES))
        self.routes = FakeProxy()
        self.databases = FakeDatabaseServer()
        # Those beside tenants, as one: nothing has the same uid in two of them.
        self.own_databases = FakeDatabaseServer()
        self.own_databases.prepare()
        self.answers = True
        self.use = Use(idle=60, transactions=0)

    @classmethod
    def _use_own_keys(cls):
        keys = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        private, public = sealing.new_key_pair()
        login_key = Ed25519PrivateKey.generate()
        (keys / "sealing_private").write_text(private)
        (keys / "sealing_public").write_text(public)
        public_bytes = login_key.public_key().public_bytes_raw()
        (keys / "login_public").write_text(public_bytes.hex())
        (keys / "login_key").write_bytes(
            login_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        cls.login_public = login_key.public_key()
        cls.keys = keys
        for module, name in (
            (saas_sealed_mixin, "WEB_KEYS"),
            (saas_sealed_mixin, "WORKER_KEYS"),
            (saas_tenant_actions, "WEB_KEYS"),
            (saas_tenant_steps, "WEB_KEYS"),
        ):
            cls.classPatch(module, name, keys)

    def _use_fakes(self):
        registry = self.env.registry
        for model, method, fake in (
            ("saas.server", "_get_driver", lambda _self: self.driver),
            ("saas.proxy", "_get_proxy", lambda _self: self.routes),
            (
                "saas.database.server",
                "_get_database_server",
                lambda server: self.own_databases if server.beside else self.databases,
            ),
            ("saas.server", "_takes_own_databases", lambda _self: True),
            ("saas.tenant", "_answers", lambda tenant: self._tenant_answers(tenant)),
            (
                "saas.tenant",
                "_ask_uses",
                lambda tenants: dict.fromkeys(tenants, self.use),
            ),
        ):
            self.patch(registry[model], method, fake)

    def _tenant_answers(self, tenant):
        up = self.driver.observe(tenant.uid).phase == Phase.RUNNING
        route = self.routes.list_routes().get(tenant.uid)
        led = bool(route and route.http and not route.pages)
        return self.answers and up and led

    # === HELPERS === #

    def create_tenant(self, name="alfa", **values):
        return self.env["saas.tenant"].create(
            {
                "name": name,
                "partner_id": self.customer.id,
                "plan_id": self.plan.id,
                **values,
            }
        )

    def create_running_tenant(self, name="alfa", **values):
        tenant = self.create_tenant(name, **values)
        tenant.action_provision()
        self.run_operations()
        self.assertEqual(tenant.state, "running", tenant.state_message)
        return tenant

    def run_operations(self, rounds=40):
        """Run what is due, as the worker would, until nothing is left to do."""
        for _round in range(rounds):
            due = self.env["saas.operation"].search(
                [("state", "in", ("pending", "running"))], order="id"
            )
            if not due:
                return
            for operation in due:
                self.run_once(operation)
        self.fail(f"still unfinished: {due.mapped('display_name')}")

    def run_once(self, operation):
        """Run an operation like one job; return whether it asked to be tried again."""
        with self.worker_cursor():
            try:
                operation._run()
            except RetryableJobError:
                return True
        return False

    @contextmanager
    def worker_cursor(self):
        """Let the code under test commit and roll back, as in a job of its own."""
        cr = self.env.cr
        savepoint = cr.savepoint(flush=True)

        def commit():
            nonlocal savepoint
            savepoint.close(rollback=False)
            savepoint = cr.savepoint(flush=True)

        def rollback():
            self.env.clear()
            savepoint.rollback()

        with patch.object(cr, "commit", commit), patch.object(cr, "rollback", rollback):
            try:
                yield
            finally:
                savepoint.close(rollback=False)
