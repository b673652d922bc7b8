"""T15: the proxy is killed while tenants have visitors."""

from __future__ import annotations

import time

import pytest
from whole import kill


@pytest.mark.case(
    did="Traefik is killed by SIGKILL three times, at 50 requests a second",
    expected="all tenants answer again within 5 s, nothing fails later, and nobody "
    "ever gets a page of another tenant",
)
def test_t15_a_proxy_that_is_killed_is_back_and_mixes_nobody_up(
    stack, load, aftermath, found
):
    seconds = []
    for _time in range(3):
        killed = time.monotonic()
        kill(stack.container("proxy"))
        # What was answered before the kernel was done does not count.
        time.sleep(0.05)
        seconds.append(load.wait_until_all_answer(time.monotonic(), 5) + 0.05)
        back = killed + seconds[-1]
        time.sleep(2)
        later = [fault for fault in load.faults if fault.at > back]
        assert not later, later
    assert not load.strange
    found(
        f"back after {', '.join(f'{each:.2f}' for each in seconds)} s; "
        f"{len(load.faults)} of {len(load.answers)} requests met nobody, 0 met another "
        f"tenant; {aftermath.check()}"
    )
