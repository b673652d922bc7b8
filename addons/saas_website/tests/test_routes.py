from odoo.tests import tagged

from odoo.addons.saas.tests.common import new_user
from odoo.addons.saas.tests.routes import describe, find_routes, read_table

from .common import PagesCommon

# public:    nobody's session
# visitor:   nobody's session, which began this sign-up
# stranger:  a customer, but not of this tenant
# colleague: another contact of this tenant's customer
# internal:  an employee without rights of ours
ROUTES = """
                                         public visitor stranger colleague internal viewer operator manager admin
GET  /plans                              200    200     200      200       200      200    200      200     200
POST /plans                              200    200     200      200       200      200    200      200     200
GET  /plans/<plan>/signup                200    200     200      200       200      200    200      200     200
POST /plans/<plan>/signup                422    422     422      422       422      422    422      422     422
POST /saas/signup/available              200    200     200      200       200      200    200      200     200
GET  /saas/signup/<token>                404    200     404      404       404      404    404      404     404
POST /saas/signup/<token>/code           404    200     404      404       404      404    404      404     404
POST /saas/signup/<token>/resend         404    200     404      404       404      404    404      404     404
POST /saas/signup/<token>/name           404    200     404      404       404      404    404      404     404
GET  /saas/signup/<token>/status         404    200     404      404       404      404    404      404     404
POST /saas/signup/<token>/retry          404    303     404      404       404      404    404      404     404
POST /saas/signup/<token>/open           404    303     404      404       404      404    404      404     404
GET  /saas/login-link                    200    200     200      200       200      200    200      200     200
POST /saas/login-link                    422    422     422      422       422      422    422      422     422
GET  /saas/login-link/<token>            200    200     200      200       200      200    200      200     200
POST /saas/login-link/<token>            403    403     403      403       403      403    403      403     403
GET  /my/tenants                         login  login   200      200       200      200    200      200     200
POST /my/tenants                         login  login   200      200       200      200    200      200     200
GET  /my/tenants/page/<page>             login  login   200      200       200      200    200      200     200
POST /my/tenants/page/<page>             login  login   200      200       200      200    200      200     200
GET  /my/tenants/<tenant_id>             login  login   404      200       404      404    404      404     404
POST /my/tenants/<tenant_id>/open        login  login   404      303       404      404    404      404     404
POST /my/tenants/<tenant_id>/restart     login  login   404      303       404      404    404      404     404
POST /my/tenants/<tenant_id>/support     login  login   404      303       404      404    404      404     404
POST /my/tenants/<tenant_id>/retry       login  login   404      200       404      404    404      404     404
POST /my/tenants/<tenant_id>/delete      login  login   404      200       404      404    404      404     404
POST /my/tenants/<tenant_id>/domains     login  login   404      200       404      404    404      404     404
POST /my/tenants/<tenant_id>/domains/<domain_id>/check    login  login   404      303       404      404    404      404     404
POST /my/tenants/<tenant_id>/domains/<domain_id>/main     login  login   404      200       404      404    404      404     404
POST /my/tenants/<tenant_id>/domains/<domain_id>/remove   login  login   404      303       404      404    404      404     404
"""  # noqa: E501
ADDONS = ("saas", "saas_docker", "saas_website")
LOGINS = {"public": None, "visitor": None}


@tagged("post_install", "-at_install")
class TestRoutes(PagesCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stranger = new_user(cls.env, "stranger", groups="base.group_portal")
        cls.colleague = new_user(cls.env, "colleague", groups="base.group_portal")
        cls.colleague.partner_id.parent_id = cls.customer
        cls.internal = new_user(cls.env, "internal", groups="base.group_user")

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.domain = self.tenant.action_add_domain("shop.example")

    def setUp(self):
        super().setUp()
        with self.mock_mail_gateway():
            signups = self.env["saas.signup"]
            self.signup, self.token = signups._open(
                self.plan, self.website, signups._parse(self.form())
            )

    def ask(self, role, method, route, kind):
        extra = {"saas_signups": [self.token]} if role == "visitor" else None
        login = LOGINS.get(role, role)
        self.authenticate(login, login, session_extra=extra)
        path = route
        for name, value in {
            "plan": self.env["ir.http"]._slug(self.plan),
            "token": self.token if "/signup/" in route else "made-up",
            "tenant_id": self.tenant.id,
            "domain_id": self.domain.id,
            "page": 1,
        }.items():
            path = path.replace(f"<{name}>", str(value))
        if kind == "jsonrpc":
            return self.url_open(path, json={"params": {"name": "gamma"}})
        if method == "POST":
            return self.post(path)
        return self.url_open(path, allow_redirects=False)

    def test_every_route_answers_every_role_as_the_table_says(self):
        table, found = read_table(ROUTES), find_routes(self.env, ADDONS)
        self.assertEqual(set(found), set(table), "a route is missing in the table")
        answers = {
            key: {
                role: describe(self.ask(role, *key, found[key])) for role in table[key]
            }
            for key in table
        }
        for key in table:
            self.assertEqual(answers[key], table[key], key)
        self.assertEqual(self.tenant.wanted, "running")
        self.assertEqual(self.signup.state, "code_sent")

    def test_a_post_route_answers_no_get(self):
        self.authenticate("colleague", "colleague")
        found = find_routes(self.env, ADDONS)
        for method, route in found:
            if method != "POST" or ("GET", route) in found:
                continue
            path = route.replace("<tenant_id>", str(self.tenant.id))
            path = path.replace("<token>", self.token)
            with self.subTest(path=path):
                response = self.url_open(
                    path,
                    allow_redirects=False,
                    headers={"X-HTTP-Method-Override": "POST"},
                )
                self.assertIn(response.status_code, (400, 404, 405, 415))
        self.assertEqual(self.tenant.state, "running")

    # === WHAT IS FOREIGN AND WHAT IS NOT === #

    def count(self, path, method="GET"):
        """Return status, body and number of queries of one request."""
        self.env.flush_all()
        self.env.invalidate_all()
        token = {"csrf_token": self.csrf()} if method == "POST" else None
        before = self.env.cr.sql_log_count
        response = self.url_open(path, data=token, allow_redirects=False)
        queries = self.env.cr.sql_log_count - before
        return response.status_code, response.text, queries

    def test_foreign_tenants_look_like_missing_ones(self):
        missing = self.tenant.id + 100000
        self.authenticate("stranger", "stranger")
        for method, action in (
            ("GET", ""),
            ("POST", "/open"),
            ("POST", "/restart"),
            ("POST", "/retry"),
            ("POST", "/delete"),
        ):
            paths = [
                f"/my/tenants/{tenant_id}{action}"
                for tenant_id in (self.tenant.id, missing)
            ]
            for path in paths:
                self.count(path, method)  # caches
            answers = [self.count(path, method) for path in paths]
            with self.subTest(action=action):
                self.assertEqual(self.hide_ids(answers[0]), self.hide_ids(answers[1]))
                self.assertEqual(answers[0][0], 404)

    def test_foreign_sign_ups_look_like_missing_ones(self):
        self.authenticate("stranger", "stranger")
        paths = [f"/saas/signup/{t}" for t in (self.token, "x" * len(self.token))]
        for path in paths:
            self.count(path)
        answers = [self.count(path) for path in paths]
        self.assertEqual(self.hide_ids(answers[0]), self.hide_ids(answers[1]))
        self.assertEqual(answers[0][0], 404)

    def hide_ids(self, answer):
        status, body, queries = answer
        for word in (
            str(self.tenant.id + 100000),
            str(self.tenant.id),
            self.token,
            "x" * len(self.token),
        ):
            body = body.replace(f"/{word}", "/…")
        return status, without_tokens(body), queries


def without_tokens(body):
    """Return a page without what is different on each visit."""
    lines = body.splitlines()
    return "\n".join(line for line in lines if "csrf_token" not in line)
