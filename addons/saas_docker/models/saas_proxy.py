from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..engine.route_files import DockerRouteFiles


class SaasProxy(models.Model):
    _inherit = "saas.proxy"

    transport = fields.Selection(
        selection_add=[("docker", "Docker engine that runs it")],
        ondelete={"docker": "set default"},
    )
    docker_server_id = fields.Many2one(
        "saas.server",
        string="Engine",
        domain="[('driver', '=', 'docker')]",
        ondelete="restrict",
        help="The server on whose engine the proxy runs.",
    )
    docker_container = fields.Char(
        string="Container",
        help="The proxy's container; its directory of routes must be a volume that it "
        "may write.",
    )

    @api.constrains("transport", "docker_server_id", "docker_container")
    def _check_docker_transport(self):
        for proxy in self.filtered(lambda proxy: proxy.transport == "docker"):
            if proxy.docker_server_id.driver != "docker" or not proxy.docker_container:
                raise ValidationError(
                    self.env._(
                        "The proxy %s is reached through a Docker engine: enter its "
                        "server and its container.",
                        proxy.name,
                    )
                )

    @api.private
    def _get_route_files(self):
        if self.transport != "docker":
            return super()._get_route_files()
        self.ensure_one()
        return DockerRouteFiles(
            self.sudo().docker_server_id._prepare_docker_config(),
            container=self.docker_container,
            directory=self.directory,
        )
