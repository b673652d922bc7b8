from odoo.exceptions import ValidationError
from odoo.tests import tagged

from odoo.addons.saas.engine.proxy import DirectoryRouteFiles

from ..engine.route_files import DockerRouteFiles
from .common import DockerCommon


@tagged("post_install", "-at_install")
class TestDockerProxy(DockerCommon):
    def test_routes_go_through_the_engine_that_runs_the_proxy(self):
        self.proxy.write(
            {
                "transport": "docker",
                "docker_server_id": self.docker.id,
                "docker_container": "saas_proxy_1",
                "directory": "/etc/traefik/routes",
            }
        )
        files = self.proxy._get_route_files()
        self.assertIsInstance(files, DockerRouteFiles)
        self.assertEqual(files.container, "saas_proxy_1")
        self.assertEqual(files.directory, "/etc/traefik/routes")
        self.assertEqual(files.config.url, "unix:///var/run/docker.sock")

    def test_a_shared_directory_stays_the_ordinary_way(self):
        self.assertIsInstance(self.proxy._get_route_files(), DirectoryRouteFiles)

    def test_a_proxy_without_its_container_is_refused(self):
        with self.assertRaises(ValidationError) as caught:
            self.proxy.write(
                {"transport": "docker", "docker_server_id": self.docker.id}
            )
        self.assertIn("its server and its container", str(caught.exception))
        with self.assertRaises(ValidationError):
            self.proxy.write({"transport": "docker", "docker_container": "x"})
