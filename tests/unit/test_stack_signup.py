from __future__ import annotations

import pytest

from stack import settings, signup
from stack.browser import Answer
from stack.shell import StackError

PAGE = Answer(
    200,
    "http://saas.test/plans/basic-1/signup",
    """
    <form method="get" action="/search"><input name="q"></form>
    <form method="post">
      <input type="hidden" name="csrf_token" value="t1"><input name="company_name">
      <select name="lang">
        <option value="">-</option><option value="en_US">English</option>
        <option value="es_ES" selected="selected">Spanish</option></select>
      <select name="country_id"><option value="7">A</option><option value="8">B</option>
      </select>
    </form>
    <form method="post" action="/saas/signup/x/open">
      <input name="csrf_token" value="t2"/>
    </form>""",
)


def test_a_form_holds_what_a_browser_would_send():
    form = PAGE.form(field="company_name")
    assert form.action == ""
    assert form.fields == {
        "csrf_token": "t1",
        "company_name": "",
        "lang": "es_ES",
        "country_id": "7",
    }


def test_a_form_is_found_by_where_it_leads():
    assert PAGE.form(action="/open").fields == {"csrf_token": "t2"}


def test_a_page_without_the_form_is_named():
    with pytest.raises(StackError, match=r"signup \(200\) has no form code"):
        PAGE.form(field="code")


def test_the_code_is_that_of_a_mail_that_came_after_the_sign_up(monkeypatch):
    mails = [
        {"id": 1, "text": "Your code: 111111"},
        {"id": 2, "text": "Welcome, no code here: 12345678"},
        {"id": 3, "text": "Your code:\n\n 222222 \n\nIt is good for 15 minutes."},
    ]
    monkeypatch.setattr(signup, "read_mails", lambda *_args: mails)
    assert signup.wait_for_code(None, "a@example.com", {1}) == "222222"


def test_without_a_mailbox_the_way_to_go_on_is_said(tmp_path):
    values = settings.Settings(tmp_path, {**settings.DEFAULTS, "SAAS_MAILBOX": "no"})
    with pytest.raises(StackError, match=r"sign up at \S+/plans, or"):
        signup.read_mails(values, "a@example.com")
