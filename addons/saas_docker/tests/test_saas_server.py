from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged
from odoo.tools import file_open

from ..engine.driver import DockerDriver
from ..models.saas_server import SaasServer
from .common import DockerCommon

KEY = "-----BEGIN PRIVATE KEY-----\nplanted-secret\n-----END PRIVATE KEY-----"


@tagged("post_install", "-at_install")
class TestDockerServer(DockerCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.docker.write(
            {
                "docker_url": "tcp://engine:2376",
                "docker_ca": "AUTHORITY",
                "docker_cert": "CERTIFICATE",
                "docker_key": KEY,
            }
        )

    def get_driver(self, server):
        """The method itself, past the fake that every other test gets."""
        return SaasServer._get_driver(server)

    def test_the_driver_gets_what_the_form_says(self):
        driver = self.get_driver(self.docker)
        self.assertIsInstance(driver, DockerDriver)
        config = driver.config
        self.assertEqual(config.url, "tcp://engine:2376")
        self.assertEqual(config.stack, "saas")
        self.assertEqual(config.network, "saas_tenants")
        self.assertEqual(config.subnet, "172.28.0.0/20")
        self.assertEqual(config.bridge, "saas0")
        self.assertEqual(config.toolbox, "saas-toolbox")
        self.assertEqual((config.ca, config.cert), ("AUTHORITY", "CERTIFICATE"))
        self.assertEqual(config.key, KEY)

    def test_the_key_is_stored_sealed_and_never_read_back(self):
        self.docker.invalidate_recordset()
        self.assertFalse(self.docker.docker_key)
        self.env.cr.execute(
            "SELECT to_jsonb(s)::text FROM saas_server s WHERE id = %s",
            (self.docker.id,),
        )
        (row,) = self.env.cr.fetchone()
        self.assertNotIn("planted-secret", row)
        self.assertTrue(self.docker.sudo().docker_key_sealed)

    def test_saving_the_form_without_a_key_keeps_the_old_one(self):
        self.docker.write({"name": "Renamed", "docker_key": False})
        self.assertEqual(self.get_driver(self.docker).config.key, KEY)

    def test_a_viewer_reads_no_certificate(self):
        server = self.docker.with_user(self.viewer)
        for name in ("docker_ca", "docker_cert", "docker_key", "docker_key_sealed"):
            with self.subTest(name), self.assertRaises(AccessError):
                server.read([name])

    def test_what_cannot_be_an_engine_is_refused_by_name(self):
        for values, part in (
            ({"docker_url": "http://engine"}, "begins with unix://"),
            ({"docker_url": False}, "begins with unix://"),
            ({"docker_subnet": "172.28.0.1/20"}, "is no subnet"),
            ({"docker_network": False}, "name of a network"),
            ({"docker_bridge": "a-name-too-long-for-linux"}, "1 to 15 characters"),
        ):
            with self.subTest(values), self.assertRaises(ValidationError) as caught:
                self.docker.write(values)
            self.assertIn(part, str(caught.exception))

    def test_another_driver_needs_none_of_it(self):
        self.server.write({"docker_url": False, "docker_network": False})
        with self.assertRaises(NotImplementedError):
            self.get_driver(self.server)

    def test_what_a_stack_tells_of_its_engine_is_offered_and_becomes_a_server(self):
        steps = self.env["saas.setup.step"]
        values = {
            "name": "This machine",
            "driver": "docker",
            "docker_url": "unix:///run/own.sock",
            "docker_stack": "own",
            "docker_network": "own_tenants",
            "docker_subnet": "172.29.0.0/20",
            "docker_bridge": "own0",
        }
        steps._set_known({"server": values})
        offered = steps.search([("code", "=", "server")])._describe_known()
        self.assertIn(["Driver", "Docker engine"], offered)
        self.assertIn(["Engine", "unix:///run/own.sock"], offered)
        server = steps._ensure_known("server")
        [stored] = server.read(list(values), load=False)
        del stored["id"]
        self.assertEqual(stored, values)
        self.assertEqual(self.get_driver(server).config.bridge, "own0")

    def test_a_neutralised_copy_of_the_master_reaches_no_engine(self):
        self.proxy.docker_container = "saas_proxy_1"
        self.env.flush_all()
        with file_open("saas_docker/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.assertEqual(self.docker.docker_url, "unix:///neutralized")
        self.assertFalse(self.docker.docker_key_sealed)
        self.assertFalse(self.proxy.docker_container)
        self.assertEqual(self.get_driver(self.docker).config.key, "")
