import functools

from odoo import models

from ..engine import fail_points

# By what these hand out, steps change something outside.
SEAMS = (
    ("saas.server", "_get_driver"),
    ("saas.proxy", "_get_proxy"),
    ("saas.proxy", "_get_route_files"),
    ("saas.database.server", "_get_database_server"),
)


class SaasOperation(models.Model):
    """Fail points around all that steps change outside; for tests alone."""

    _inherit = "saas.operation"

    def _register_hook(self):
        super()._register_hook()
        if fail_points.find_directory():
            for model, name in SEAMS:
                _watch_seam(self.env.registry[model], name)


def _watch_seam(model, name):
    """Watch what the last of the addons that override it hands out."""
    hand_out = getattr(model, name)

    @functools.wraps(hand_out)
    def watched(record):
        return fail_points.watch(hand_out(record))

    setattr(model, name, watched)
