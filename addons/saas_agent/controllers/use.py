from __future__ import annotations

import logging

from odoo import http
from odoo.http import request
from odoo.tools import config

from ..activity import activity
from ..settings import read_settings
from ..token import SUBJECT_OF_USE, TokenError, check_token, load_public_key

_logger = logging.getLogger(__name__)

TRANSACTIONS = """
    SELECT count(*)
      FROM pg_stat_activity
     WHERE datname = current_database()
       AND pid != pg_backend_pid()
       AND backend_type = 'client backend'
       AND state != 'idle'
"""
SECONDS_TO_ACTION = """
    SELECT extract(epoch FROM min(due) - now() AT TIME ZONE 'UTC')::float
      FROM (
          SELECT nextcall AS due
            FROM ir_cron
           WHERE active
           UNION ALL
          SELECT trigger.call_at
            FROM ir_cron_trigger AS trigger
            JOIN ir_cron AS cron ON cron.id = trigger.cron_id
           WHERE cron.active
      ) AS actions
"""


class Use(http.Controller):
    # The token itself proves who sends it; it is no page that a browser would ask for.
    @http.route(
        "/saas/use",
        type="http",
        auth="none",
        methods=["POST"],
        csrf=False,
        sitemap=False,
    )
    def use(self, token="", **_kwargs):
        """Tell the master whether anybody uses this tenant, or something is due."""
        settings = read_settings(config["config"])
        try:
            check_token(
                token,
                public_key=load_public_key(settings.public_key),
                audience=settings.uid,
                subject=SUBJECT_OF_USE,
            )
        except TokenError as error:
            _logger.warning("Question about use refused: %s", error.reason)
            return request.make_response("", status=403)
        return request.make_json_response(
            {
                "idle": activity.measure_idle(),
                "transactions": self._ask(TRANSACTIONS),
                "action": self._ask(SECONDS_TO_ACTION),
            }
        )

    def _ask(self, query):
        request.env.cr.execute(query)
        return request.env.cr.fetchone()[0]
