"""T11: a tenant forks without end, and takes all the time that it can get."""

from __future__ import annotations

import time

import pytest

from e2e.residents import run_python

# Each child stays until all end together.
FORK = """
import json, os, signal
children = []
try:
    while len(children) < 5000:
        child = os.fork()
        if not child:
            signal.pause()
        children.append(child)
    met = ""
except OSError as error:
    met = error.strerror
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print(json.dumps([len(children), met]))
"""
SPIN = """
import json, os, sys, time
until = time.monotonic() + float(sys.argv[1])
first = os.getpid()
children = [child for _each in range(3) if (child := os.fork())]
while time.monotonic() < until:
    pass
for child in children:
    os.waitpid(child, 0)
if os.getpid() != first:
    os._exit(0)
print(json.dumps("done"))
"""
SECONDS = 6


@pytest.mark.case(
    did="a tenant forks until it cannot, and then calculates without a pause in eight "
    "processes",
    expected="it meets its plan's limit of processes; its neighbour answers each "
    "request, and it answers again afterwards",
)
def test_t11_a_greedy_tenant_stays_within_its_limits(
    master, plan, residents, load, aftermath, found
):
    one, other = residents
    limit = master.read("saas.plan", plan, "processes")
    time.sleep(3)
    calm = load.median(other.uid)
    forked, met = run_python(one.container, FORK)
    assert met == "Resource temporarily unavailable"
    assert forked < limit
    begun = len(load.answers)
    assert run_python(one.container, SPIN, SECONDS) == "done"
    busy = load.answers[begun:]
    mine = sorted(one.seconds for one in busy if one.uid == other.uid)
    assert len(mine) > 10 * SECONDS
    assert not [fault for fault in load.faults if fault.uid == other.uid]
    recovered = load.wait_until_all_answer(time.monotonic(), 30)
    found(
        f"{forked} processes of {limit}, then “{met}”; the neighbour's answers: median "
        f"{calm * 1000:.0f} ms before, {mine[len(mine) // 2] * 1000:.0f} ms meanwhile "
        f"(95 %: {mine[len(mine) * 95 // 100] * 1000:.0f} ms), none lost; it answered "
        f"itself {recovered:.1f} s later; {aftermath.check()}"
    )
