"""What a tenant says of its use, and what follows from it for its sleep."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from odoo.addons.saas.engine.tenant_use import (
    AGAIN,
    LONGEST,
    SOON,
    Busy,
    Question,
    Use,
    ask,
    read_use,
)

HOUR = 3600


@pytest.mark.parametrize(
    ("use", "seconds"),
    [
        (Use(idle=600, transactions=0), 0),
        (Use(idle=600, transactions=0, action=HOUR), 0),
        (Use(idle=0, transactions=0, action=HOUR), 600),
        (Use(idle=200, transactions=0), 400),
        (Use(idle=599, transactions=0), 1),
        (Use(idle=9000, transactions=1), AGAIN),
        (Use(idle=200, transactions=1), 400),
        (Use(idle=9000, transactions=0, action=0), AGAIN),
        (Use(idle=9000, transactions=0, action=SOON - 1), SOON - 1 + AGAIN),
        (Use(idle=9000, transactions=0, action=SOON), 0),
    ],
)
def test_who_is_used_or_has_something_to_do_soon_is_not_put_to_sleep(use, seconds):
    assert use.count_seconds_to_wait(minutes=10) == seconds


@pytest.mark.parametrize(
    ("use", "busy"),
    [
        (Use(idle=0.1, transactions=0), None),
        (Use(idle=0.1, transactions=0, action=SOON), None),
        (Use(idle=0, transactions=1, action=0), Busy.REQUEST),
        (Use(idle=9000, transactions=1, action=0), Busy.TRANSACTION),
        (Use(idle=9000, transactions=0, action=SOON - 1), Busy.ACTION),
    ],
)
def test_who_is_asked_to_sleep_by_hand_may_be_busy(use, busy):
    assert use.find_busy() == busy


@pytest.mark.parametrize(
    ("action", "seconds"), [(None, None), (10, 0), (HOUR, HOUR - 60)]
)
def test_a_sleeper_is_woken_a_little_before_its_next_action(action, seconds):
    assert Use(0, 0, action).count_seconds_to_wake() == seconds


@pytest.mark.parametrize(
    ("answer", "use"),
    [
        ({"idle": 5.5, "transactions": 1, "action": None}, Use(5.5, 1)),
        ({"idle": 5, "transactions": 0, "action": 7.5, "x": 1}, Use(5, 0, 7.5)),
        ({"idle": -5, "transactions": -1, "action": -300}, Use(0, 0, 0)),
        ({"idle": 1e300, "transactions": 0, "action": 1e99}, Use(LONGEST, 0, LONGEST)),
    ],
)
def test_an_answer_is_read_within_bounds(answer, use):
    assert read_use(answer) == use


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "idle",
        {},
        {"idle": 1, "transactions": 0},
        {"idle": None, "transactions": 0, "action": None},
        {"idle": "nan", "transactions": 0, "action": None},
        {"idle": 1, "transactions": float("inf"), "action": None},
        {"idle": 1, "transactions": 0, "action": "soon"},
        {"idle": 1, "transactions": 0, "action": [1]},
    ],
)
def test_what_is_no_such_answer_is_told_from_an_idle_tenant(answer):
    with pytest.raises(ValueError, match=r"\w"):
        read_use(answer)


class Tenant(http.server.BaseHTTPRequestHandler):
    """Answers as it is told, and remembers what it was asked."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked = (self.path, self.headers["Host"], body)
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_args):
        pass


@pytest.fixture
def tenant():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tenant) as server:
        answer = {"idle": 5, "transactions": 0, "action": None}
        server.status, server.answer = 200, json.dumps(answer).encode()
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.shutdown()


def make_question(server):
    url = f"http://127.0.0.1:{server.server_port}"
    return Question(url=url, host="alfa.odoo.localhost", token="word")


def test_a_tenant_is_asked_by_its_name_with_the_master_s_word(tenant):
    assert ask(make_question(tenant)) == Use(idle=5, transactions=0)
    assert tenant.asked == ("/saas/use", "alfa.odoo.localhost", b"token=word")


def test_one_that_does_not_answer_so_says_nothing(tenant):
    for status, answer in ((503, b"{}"), (303, b"{}"), (200, b"<html>"), (200, b"[]")):
        tenant.status, tenant.answer = status, answer
        assert ask(make_question(tenant)) is None
    tenant.shutdown()
    tenant.server_close()
    assert ask(make_question(tenant)) is None


def test_the_word_is_not_told_to_a_log():
    assert "word" not in repr(Question(url="http://x", host="y", token="word"))
