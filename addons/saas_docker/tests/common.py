from odoo.addons.saas.tests.common import SaasCommon

DRIVERS = {"fake": "Fake", "docker": "Docker engine"}


class DockerCommon(SaasCommon):
    """A server that is a Docker engine, which nobody talks to."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        field = cls.env["saas.server"]._fields["driver"]
        cls.classPatch(field, "selection", list(DRIVERS.items()))
        cls.classPatch(field, "_selection", DRIVERS)
        cls.docker = cls.env["saas.server"].create(
            {
                "name": "Docker",
                "driver": "docker",
                "proxy_id": cls.proxy.id,
                "database_server_id": cls.database_server.id,
            }
        )
