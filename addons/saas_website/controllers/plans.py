from odoo import http
from odoo.http import request


def sitemap_plans(env, _rule, qs):
    if not qs or qs.lower() in "/plans":
        yield {"loc": "/plans"}


class Plans(http.Controller):
    @http.route(
        "/plans", type="http", auth="public", website=True, sitemap=sitemap_plans
    )
    def plans(self, **_kwargs):
        plans = request.env["saas.plan"]._get_published(request.website)
        return request.render("saas_website.plans", {"plans": plans})
