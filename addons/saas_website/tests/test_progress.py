from unittest.mock import patch

from odoo.http import Session, get_default_session

from odoo.addons.bus.models.bus import channel_with_db, json_dump

from ..const import CHANNEL, SESSION_KEY
from ..models import ir_websocket
from .common import SignupCommon


class TestProgress(SignupCommon):
    def listen(self, channels, tokens=()):
        """Return what a browser with these sign-ups in its session may follow."""
        session = Session(get_default_session(), "sid")
        session[SESSION_KEY] = list(tokens)
        sockets = self.env["ir.websocket"]

        request = type("Request", (), {"session": session})()
        with (
            patch.object(ir_websocket, "request", request),
            patch("odoo.addons.bus.models.ir_websocket.request", request),
        ):
            return sockets._build_bus_channel_list(list(channels))

    def open(self, **values):
        signups = self.env["saas.signup"]
        with self.mock_mail_gateway():
            values = signups._parse(self.form(**values))
            return signups._open(self.plan, self.website, values)

    def pushes(self, signup):
        """How often those who follow that sign-up were told to look."""
        self.env.cr.precommit.run()
        channel = json_dump(channel_with_db(self.env.cr.dbname, signup))
        return self.env["bus.bus"].sudo().search_count([("channel", "=", channel)])

    def test_a_browser_follows_the_sign_ups_that_began_in_it(self):
        signup, token = self.open()
        self.assertIn(signup, self.listen([CHANNEL + token], [token]))

    def test_no_other_browser_follows_them_with_the_token_or_without(self):
        signup, token = self.open()
        other, _token = self.open(name="gamma", email="x@gamma.example")
        asked = (
            CHANNEL + token,
            CHANNEL,
            f"{CHANNEL}{signup.id}",
            f"saas.signup,{signup.id}",
        )
        for tokens in ([], ["made-up"]):
            channels = self.listen(asked, tokens)
            self.assertFalse(
                [c for c in channels if getattr(c, "_name", "") == signup._name]
            )
            self.assertNotIn(CHANNEL + token, channels)
        self.assertNotIn(other, self.listen([CHANNEL + token], [token]))

    def test_a_sign_up_that_is_gone_is_followed_by_nobody(self):
        signup, token = self.open()
        signup.unlink()
        channels = self.listen([CHANNEL + token], [token])
        self.assertFalse(
            [c for c in channels if getattr(c, "_name", "") == "saas.signup"]
        )

    def test_each_step_that_is_done_is_pushed(self):
        signup = self.prove()
        signup._claim("beta")
        before = self.pushes(signup)
        self.run_operations()
        steps = len(signup.tenant_id.operation_ids.step_ids)
        self.assertEqual(signup.state, "done")
        # Each step, and that the sign-up is done.
        self.assertEqual(self.pushes(signup) - before, steps + 1)

    def test_a_failure_is_pushed(self):
        self.refuse_to_build()
        signup = self.prove()
        signup._claim("beta")
        before = self.pushes(signup)
        self.run_operations()
        self.assertEqual(signup.state, "failed")
        self.assertGreater(self.pushes(signup), before)

    def test_what_is_pushed_says_nothing(self):
        signup = self.prove()
        signup._claim("beta")
        self.run_operations()
        self.env.cr.precommit.run()
        messages = (
            self.env["bus.bus"]
            .sudo()
            .search([("message", "like", "saas.signup/progress")])
        )
        self.assertTrue(messages)
        self.assertEqual(
            set(messages.mapped("message")),
            {'{"type":"saas.signup/progress","payload":null}'},
        )

    def test_operations_of_tenants_without_a_sign_up_are_not_pushed(self):
        self.create_running_tenant()
        self.env.cr.precommit.run()
        messages = self.env["bus.bus"].sudo()
        self.assertFalse(messages.search([("message", "like", "saas.signup/progress")]))
