"""Requests that meet: whoever was last is obeyed, and nothing happens twice."""

import concurrent.futures
import time

from .master import UNFINISHED

AT_ONCE = 8


def at_once(calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def test_what_is_asked_during_the_last_step_of_another_comes_right_after_it(
    master, tenant
):
    [restart] = master.call("saas.tenant", "action_restart", tenant)
    time.sleep(0.3)
    began = time.monotonic()
    [stop] = master.call("saas.tenant", "action_stop", tenant)
    assert master.follow(restart) == "done"
    assert master.follow(stop) == "done"
    # The sweep would find it too, but only a quarter of a minute later.
    assert time.monotonic() - began < 12
    assert master.read("saas.tenant", tenant, "state") == "stopped"


def test_of_start_stop_start_the_last_one_counts(master, tenant):
    master.run(tenant, "action_stop")
    for action in ("action_start", "action_stop", "action_start"):
        [last] = master.call("saas.tenant", action, tenant)
    assert master.follow(last) == "done"
    assert master.settle(tenant) == "running"


def test_equal_requests_at_one_moment_get_one_operation(master, new_master, tenant):
    callers = [new_master() for _number in range(AT_ONCE)]
    answers = at_once(
        [
            lambda caller=caller: caller.call("saas.tenant", "action_restart", tenant)
            for caller in callers
        ]
    )
    operations = {operation for [operation] in answers}
    for operation in operations:
        assert master.follow(operation) == "done"
    assert len(operations) <= 2, "a late caller may meet the end of the first"


def test_tenants_that_need_one_new_template_share_its_building(
    master, new_master, make_tenant
):
    modules = "base,base_import_module"  # little to install
    plan = master.create("saas.plan", {"name": "New sort", "modules": modules})
    tenants = [make_tenant(plan_id=plan) for _number in range(3)]
    callers = [new_master() for _tenant in tenants]
    answers = at_once(
        [
            lambda caller=caller, number=number: caller.call(
                "saas.tenant", "action_provision", number
            )
            for caller, number in zip(callers, tenants, strict=True)
        ]
    )
    for [operation] in answers:
        assert master.follow(operation) == "done"
    [template] = master.search("saas.template", [("modules", "=", modules)])
    builds = master.search("saas.operation", [("template_id", "=", template)])
    assert len(builds) == 1
    assert master.read("saas.operation", builds[0], "state") not in UNFINISHED
