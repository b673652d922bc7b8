from odoo.tests import tagged

from .common import PagesCommon


@tagged("post_install", "-at_install")
class TestSessionCookie(PagesCommon):
    def cookie(self, response):
        cookies = response.raw.headers.getlist("Set-Cookie")
        [cookie] = [text for text in cookies if text.startswith("session_id=")]
        return cookie

    def test_the_session_goes_to_this_site_alone(self):
        self.authenticate(None, None)
        self.opener.cookies.clear()
        cookie = self.cookie(self.url_open("/saas/login-link"))
        self.assertIn("; HttpOnly", cookie)
        self.assertIn("; SameSite=Lax", cookie)
        self.assertNotIn("; Secure", cookie)
        # No domain: the browser gives it to this host only.
        self.assertNotIn("domain", cookie.lower())

    def test_a_session_that_was_begun_by_another_is_left_at_the_login(self):
        """A cookie that a tenant planted: who chose it must not come in by it."""
        planted = self.authenticate(None, None).sid
        _signup, path, code = self.begin()
        response = self.post(f"{path}/code", {"code": code})
        own = response.cookies["session_id"]
        self.assertNotEqual(own, planted)
        self.assertEqual(self.url_open("/my/tenants").status_code, 200)
        self.opener.cookies.clear()
        self.opener.cookies["session_id"] = planted
        page = self.url_open("/my/tenants", allow_redirects=False)
        self.assertIn("/web/login", page.headers["Location"])
        self.assertEqual(self.url_open(path).status_code, 404)

    def test_a_session_that_does_not_exist_breaks_nothing(self):
        self.authenticate(None, None)
        for sid in ("planted", "x" * 84, "../../etc/passwd", '"', ""):
            self.opener.cookies.clear()
            self.opener.cookies["session_id"] = sid
            response = self.url_open("/saas/login-link")
            self.assertEqual(response.status_code, 200, sid)
            self.assertNotEqual(response.cookies.get("session_id"), sid)
