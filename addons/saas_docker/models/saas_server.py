import ipaddress

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..engine.driver import DockerDriver
from ..engine.objects import DockerConfig

DOCKER_SCHEMES = ("unix://", "tcp://", "ssh://")
LONGEST_INTERFACE = 15  # of Linux


class SaasServer(models.Model):
    _inherit = "saas.server"

    driver = fields.Selection(
        selection_add=[("docker", "Docker engine")],
        ondelete={"docker": "cascade"},
    )
    docker_url = fields.Char(
        string="Engine",
        default="unix:///var/run/docker.sock",
        help="unix:///var/run/docker.sock, tcp://host:2376 (with certificates), or "
        "ssh://user@host (with the worker's key and known hosts).",
    )
    docker_stack = fields.Char(
        string="Mark",
        default="saas",
        help="Marks what is ours there; one name per master on a shared engine.",
    )
    docker_network = fields.Char(
        string="Network",
        default="saas_tenants",
        help="Isolated network of the tenants; made by Prepare.",
    )
    docker_subnet = fields.Char(
        string="Subnet",
        default="172.28.0.0/20",
        help="Addresses of the network. The lower half is for tenants, the upper half "
        "for tasks.",
    )
    docker_bridge = fields.Char(
        string="Interface",
        default="saas0",
        help="The network's interface on the host; its firewall rules name it.",
    )
    docker_databases = fields.Char(
        string="Volume of Own Databases",
        help="Volume in which the worker finds the sockets of tenants' own PostgreSQL "
        "servers. Empty where the engine is not the worker's own: tenants of plans "
        "with such a server are not placed there then.",
    )
    docker_ca = fields.Text(
        string="Authority",
        groups="saas.group_manager",
        help="Certificate (PEM) of who signed the engine's certificate.",
    )
    docker_cert = fields.Text(
        string="Certificate",
        groups="saas.group_manager",
        help="Our certificate (PEM), which the engine trusts.",
    )
    docker_key = fields.Text(
        string="Private Key",
        compute="_compute_docker_key",
        inverse="_inverse_docker_key",
        groups="saas.group_manager",
        help="Of our certificate (PEM, without a password). Sealed as it is saved: it "
        "can be replaced, never read.",
    )
    docker_key_sealed = fields.Text(groups=fields.NO_ACCESS, copy=False)

    def _compute_docker_key(self):
        self.docker_key = False

    def _inverse_docker_key(self):
        for server in self.filtered("docker_key"):
            server.sudo().docker_key_sealed = self._seal(server.docker_key)

    @api.constrains(
        "driver",
        "docker_url",
        "docker_stack",
        "docker_network",
        "docker_subnet",
        "docker_bridge",
    )
    def _check_docker(self):
        for server in self.filtered(lambda server: server.driver == "docker"):
            server._check_docker_names()
            server._check_docker_subnet()

    def _check_docker_names(self):
        if not (self.docker_url or "").startswith(DOCKER_SCHEMES):
            raise ValidationError(
                self.env._(
                    "The address of a Docker engine begins with %s.",
                    " or ".join(DOCKER_SCHEMES),
                )
            )
        if not (self.docker_stack and self.docker_network):
            raise ValidationError(
                self.env._("A Docker engine needs a mark and the name of a network.")
            )
        if not 0 < len(self.docker_bridge or "") <= LONGEST_INTERFACE:
            raise ValidationError(
                self.env._(
                    "The name of an interface has 1 to %s characters.",
                    LONGEST_INTERFACE,
                )
            )

    def _check_docker_subnet(self):
        try:
            ipaddress.IPv4Network(self.docker_subnet or "")
        except ValueError as error:
            raise ValidationError(
                self.env._(
                    "%s is no subnet; write it as 172.28.0.0/20.", self.docker_subnet
                )
            ) from error

    def _takes_own_databases(self):
        if self.driver != "docker":
            return super()._takes_own_databases()
        return bool(self.docker_databases)

    @api.private
    def _get_driver(self):
        if self.driver != "docker":
            return super()._get_driver()
        self.ensure_one()
        return DockerDriver(self._prepare_docker_config())

    def _prepare_docker_config(self):
        """Return what the engine package needs; needs the worker's keys for TLS."""
        server = self.sudo()
        sealed = server.docker_key_sealed
        return DockerConfig(
            url=server.docker_url,
            stack=server.docker_stack,
            network=server.docker_network,
            subnet=server.docker_subnet,
            bridge=server.docker_bridge,
            toolbox=server.toolbox_image or "",
            databases=server.docker_databases or "",
            ca=server.docker_ca or "",
            cert=server.docker_cert or "",
            key=self._unseal(sealed) if sealed else "",
        )
