"""T17: clocks that differ, and clocks that are put forward or back."""

from __future__ import annotations

import base64
import datetime
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from test_t18_schedule_drift import DAY, MINUTE, UIDS, start

from odoo.addons.saas.engine.login_token import make_token
from odoo.addons.saas_agent.token import TokenError, check_token, load_public_key
from odoo.addons.saas_backup.engine.schedule import Window, next_backup, slot

UID = "t0000000000a1"
# Summer begins within these two weeks.
DAY_ONE = datetime.date(2026, 3, 20)
DAYS = 14
TEN_MINUTES = 10 * MINUTE
BRUSSELS = ZoneInfo("Europe/Brussels")
WINDOW = Window(timezone=BRUSSELS.key)


@pytest.fixture(scope="module")
def key():
    return Ed25519PrivateKey.generate()


def log_in(key, skew):
    """Use a link that a master makes whose clock is ahead so much."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    token = make_token(pem, UID, datetime.datetime.now(datetime.UTC) + skew)
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    return check_token(token, public_key=load_public_key(public), audience=UID)


@pytest.mark.case(
    did="the master makes login links while its clock is 10 minutes ahead, or behind",
    expected="none of them is good; one from the future says whose fault it is, and "
    "some seconds do not matter",
)
def test_t17_a_login_link_of_a_master_with_another_clock_is_refused(key, found):
    assert log_in(key, datetime.timedelta(seconds=5)).jti
    with pytest.raises(TokenError, match="the clock of this system or of its") as ahead:
        log_in(key, TEN_MINUTES)
    assert "clocks differ" in ahead.value.reason
    with pytest.raises(TokenError, match="has expired") as behind:
        log_in(key, -TEN_MINUTES)
    found(f"ahead: “{ahead.value}”; behind: “{behind.value}”")


@pytest.mark.parametrize("wrong", [TEN_MINUTES, -TEN_MINUTES], ids=["ahead", "behind"])
@pytest.mark.parametrize("minutes", [1, 5, 15, 240], ids=lambda number: f"{number} min")
@pytest.mark.case(
    did="each day for two weeks the clock steps by 10 minutes some minutes before the "
    "slot, and is put right as many after it",
    expected="each day has one copy: none is left out, none is made twice",
)
def test_t17_a_step_of_the_clock_leaves_out_no_copy_and_makes_none_twice(
    wrong, minutes, found
):
    around = minutes * MINUTE
    for uid in UIDS:
        days = [slot(uid, DAY_ONE + DAY * number, WINDOW) for number in range(DAYS)]

        def clock(now, days=days):
            near = any(day - around <= now < day + around for day in days)
            return now + wrong if near else now

        schedule = start(uid, WINDOW, DAY_ONE)
        slots = schedule.live(DAY_ONE, DAYS, clock)
        # Once more after the last one, for what a clock behind has not reached yet.
        schedule.sweep(slots[-1] + around + TEN_MINUTES)
        dates = [made.astimezone(BRUSSELS).date() for made in schedule.made]
        assert len(dates) == len(set(dates)) == DAYS
    found(f"{len(UIDS)} x {DAYS} copies, one a day")


@pytest.mark.case(
    did="a copy is made by a clock that is ahead; it is put right, and when copies are "
    "due is computed anew, as after a change of the policy",
    expected="the slot that comes once more is not used once more",
)
def test_t17_a_slot_that_comes_twice_is_used_once(found):
    due = slot(UID, DAY_ONE, WINDOW)
    made = due + MINUTE
    again = next_backup(UID, WINDOW, made, made - TEN_MINUTES)
    assert again == slot(UID, DAY_ONE + DAY, WINDOW)
    found(f"made at {made:%H:%M}, due again at {again:%Y-%m-%d %H:%M}")
