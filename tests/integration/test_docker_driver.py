"""The Docker driver on a real engine: the contract, the hardening, and kills."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import ipaddress
import itertools
import pathlib
import re
import socket
import subprocess
import sys
import time

import docker_bench
import pytest
import requests
from docker_bench import (
    BRIDGE,
    CONFIG,
    FOREIGN,
    IMAGE,
    IMAGE_CHECKED,
    IMAGE_WITHOUT_USER,
    NETWORK,
    SOCKET,
    STACK,
    SUBNET,
    DockerBench,
)
from docker_tls import TlsRelay
from driver_contract import (
    OTHER,
    SECRET,
    TEMPLATE,
    UID,
    DriverContract,
    refused,
)

from odoo.addons.saas.engine import listener
from odoo.addons.saas.engine.driver import Phase, TaskPhase
from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas_docker.engine import objects
from odoo.addons.saas_docker.engine.driver import DockerDriver


@pytest.fixture
def bare_bench(docker_api):
    """An engine on which nothing is prepared."""
    docker_bench.clean(docker_api)
    yield DockerBench(docker_api)
    docker_bench.clean(docker_api)


@pytest.fixture
def bench(docker_api):
    """An engine that is prepared, and else empty."""
    docker_bench.empty(docker_api)
    made = DockerBench(docker_api)
    made.driver.prepare()
    return made


@pytest.fixture
def driver(bench):
    return bench.driver


class TestDockerDriver(DriverContract):
    @pytest.fixture
    def bench(self, bench):
        return bench


# === HARDENING === #


def test_a_tenant_gets_only_what_it_needs(bench):
    bench.run(bench.spec())
    host = bench.inspect(UID)["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert not host["Binds"]
    assert not host["Privileged"]
    assert not host["PortBindings"]
    assert {mount["Type"] for mount in host["Mounts"]} == {"volume"}
    assert host["Memory"] == host["MemorySwap"] == bench.limits.memory
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == bench.limits.processes
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}


def test_a_process_of_a_tenant_has_no_privileges(bench):
    bench.run(bench.spec())
    __, status = bench.run_inside(UID, "cat", "/proc/self/status")
    facts = dict(re.findall(r"^(\w+):\s+(.*)$", status, re.MULTILINE))
    assert facts["Uid"].split() == ["4711"] * 4
    assert facts["NoNewPrivs"] == "1"
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(facts[name], 16) == 0, name


@pytest.mark.parametrize("path", ["/x", "/etc/x", "/usr/x", "/etc/odoo/x", "/mnt/x"])
def test_a_tenant_can_write_nothing_but_its_state(bench, path):
    bench.run(bench.spec())
    code, output = bench.run_inside(UID, "touch", path)
    assert code != 0
    assert "Read-only file system" in output or "Permission denied" in output


def test_a_tenant_can_write_its_state_and_its_temporary_files(bench):
    bench.run(bench.spec())
    for path in ("/var/lib/odoo/x", "/tmp/x"):
        assert bench.run_inside(UID, "touch", path) == (0, "")


def test_a_tenant_cannot_change_its_own_files(bench):
    bench.run(bench.spec())
    path = "/etc/odoo/odoo.conf"
    for command in (["rm", "-f", path], ["sh", "-c", f"echo x > {path}"]):
        code, output = bench.run_inside(UID, *command)
        assert code != 0, output
    assert bench.read_file(UID, "odoo.conf") == b"db_password = " + SECRET


def test_nothing_in_the_temporary_directory_can_be_run(bench):
    bench.run(bench.spec())
    bench.run_inside(UID, "cp", "/bin/true", "/tmp/true")
    code, output = bench.run_inside(UID, "/tmp/true")
    assert code == 126, output
    __, mounts = bench.run_inside(UID, "grep", " /tmp ", "/proc/mounts")
    assert {"noexec", "nosuid", "nodev"} <= set(mounts.split()[3].split(","))


def test_a_fork_bomb_meets_the_limit_of_processes(bench):
    bench.run(bench.spec())
    script = "for i in $(seq 80); do sleep 9 & done; wait"
    __, output = bench.run_inside(UID, "sh", "-c", script)
    assert "Cannot fork" in output or "Resource temporarily" in output


def test_a_tenant_has_the_address_of_its_slot(bench):
    bench.run(bench.spec(slot=5))
    networks = bench.inspect(UID)["NetworkSettings"]["Networks"]
    assert list(networks) == [NETWORK]
    assert networks[NETWORK]["IPAddress"] == "172.28.160.21"
    target = bench.driver.target(bench.spec(slot=5))
    assert target.http == target.websocket == "http://172.28.160.21:8069"


_LISTEN = """
use IO::Socket::INET;
my $s = IO::Socket::INET->new(LocalPort => 8069, Listen => 5, ReuseAddr => 1) or die;
while (my $c = $s->accept) { print $c "hello\\n"; close $c; }
"""


def test_a_tenant_cannot_reach_another_one_but_the_host_can(bench):
    first, second = bench.spec(), bench.spec(uid=OTHER, slot=1)
    bench.run(first)
    bench.run(second)
    run = bench.api.exec_create(f"saas-{UID}", ["perl", "-e", _LISTEN])
    bench.api.exec_start(run["Id"], detach=True)
    address = objects.address(SUBNET, 0)
    assert _read_greeting(address) == b"hello\n"
    script = f"timeout 3 bash -c 'cat < /dev/tcp/{address}/8069'"
    code, output = bench.run_inside(OTHER, "bash", "-c", script)
    assert code != 0
    assert "hello" not in output
    # The same command where it may: the test would see a greeting.
    assert bench.run_inside(UID, "bash", "-c", script) == (0, "hello\n")


def _read_greeting(address):
    until = time.monotonic() + 10
    while True:
        try:
            with socket.create_connection((address, 8069), timeout=2) as connection:
                return connection.recv(100)
        except OSError:
            assert time.monotonic() < until, "the listener did not start"
            time.sleep(0.1)


def test_files_of_a_spec_cannot_be_laid_outside_their_directory(bench, driver):
    with refused("bad_name"):
        driver.ensure(bench.spec(files={"../passwd": b"x"}))


# === PHASES === #


def test_the_images_health_check_decides_whether_a_tenant_runs(bench, driver):
    driver.ensure(bench.spec(image=IMAGE_CHECKED))
    seen = bench.settle(UID, Phase.FAILED)
    assert seen.message == "It does not answer its health check"
    assert [row.phase for row in driver.list_tenants()] == [Phase.FAILED]
    bench.write_state(UID, "healthy", b"")
    assert bench.settle(UID, Phase.RUNNING).message == ""


def test_a_thawed_tenant_is_not_taken_for_an_ill_one(bench, driver):
    driver.ensure(bench.spec(image=IMAGE_CHECKED))
    bench.write_state(UID, "healthy", b"")
    bench.settle(UID, Phase.RUNNING)
    driver.pause(UID)
    driver.unpause(UID)
    assert driver.observe(UID).phase == Phase.STARTING
    assert [row.phase for row in driver.list_tenants()] == [Phase.STARTING]
    bench.settle(UID, Phase.RUNNING)


def test_who_sleeps_is_not_started_with_the_engine_and_who_was_woken_is(bench, driver):
    def policy():
        found = bench.api.inspect_container(objects.container_name(UID))
        return found["State"]["Status"], found["HostConfig"]["RestartPolicy"]["Name"]

    spec = bench.spec()
    for wake in (driver.unpause, driver.start, lambda _uid: driver.ensure(spec)):
        driver.ensure(spec)
        assert policy() == ("running", "unless-stopped")
        driver.pause(UID)
        assert policy() == ("paused", "no")
        wake(UID)
        assert policy() == ("running", "unless-stopped")


def test_a_tenant_that_crashes_again_and_again_has_failed(bench, driver):
    spec = bench.spec(image=_image_that_crashes(bench.api))
    driver.ensure(spec)
    seen = bench.settle(UID, Phase.FAILED)
    assert "code 7" in seen.message
    [row] = driver.list_tenants()
    assert row.restarts > 0
    assert "started again" in row.message
    driver.stop(UID)
    assert driver.observe(UID).phase == Phase.STOPPED
    bench.api.remove_image(spec.image, force=True)


def _image_that_crashes(api):
    tag = f"{STACK}:crashes"
    content = f'FROM {IMAGE}\nCMD ["sh", "-c", "exit 7"]\n'
    docker_bench.build(api, tag, content)
    return tag


def test_an_image_without_the_user_is_refused_and_told(bench, driver):
    with refused("image_unusable") as caught:
        driver.ensure(bench.spec(image=IMAGE_WITHOUT_USER))
    assert "unable to find user odoo" in caught.value.message
    seen = driver.observe(UID)
    assert seen.phase == Phase.FAILED
    assert "unable to find user odoo" in seen.message


def test_the_log_ends_with_the_last_lines(bench, driver):
    run = bench.task("talk", command=("sh", "-c", "echo one; echo two >&2; exit 3"))
    driver.start_task(UID, run)
    bench.finish(UID, "talk")
    log = driver.observe_task(UID, "talk").log
    assert sorted(log.split()) == ["one", "two"]


def test_what_the_stack_itself_runs_is_no_tenant(bench, driver):
    begin = time.time()
    bench.put_container(f"{STACK}-web", {objects.LABEL_STACK: STACK})
    bench.api.start(f"{STACK}-web")
    assert list(driver.list_tenants()) == []
    assert list(driver.events(begin, time.time())) == []


# === TASKS === #


def test_a_task_reads_its_source_and_cannot_change_it(bench, driver):
    bench.run(bench.spec(uid=TEMPLATE, slot=3))
    bench.run_inside(TEMPLATE, "sh", "-c", "echo photo > /var/lib/odoo/photo")
    script = (
        "cp /mnt/source/photo /var/lib/odoo/copy && "
        "if touch /mnt/source/x; then exit 9; fi; cat /etc/odoo/task.conf"
    )
    task = bench.task(
        "seed",
        command=("sh", "-c", script),
        files={"task.conf": b"for the task"},
        source=TEMPLATE,
    )
    driver.start_task(UID, task)
    assert bench.finish(UID, "seed") == TaskPhase.DONE
    assert "for the task" in driver.observe_task(UID, "seed").log
    driver.delete_task(UID, "seed")
    bench.run(bench.spec())
    assert bench.read_state(UID, "copy") == b"photo\n"


def test_what_a_task_lays_into_a_shared_volume_is_there_for_the_next(bench, driver):
    """As the image's own user, on a read-only root: the volume is all it can write."""
    shared = {f"{STACK}-copies": "/mnt/store"}
    for uid, command in (
        (UID, "echo photo > /mnt/store/a"),
        (OTHER, "cat /mnt/store/a"),
    ):
        task = bench.task("backup", command=("sh", "-c", command), volumes=shared)
        driver.start_task(uid, task)
        assert bench.finish(uid, "backup") == TaskPhase.DONE
    assert driver.observe_task(OTHER, "backup").log == "photo"


def test_a_volume_that_an_operator_made_is_used_as_it_is(bench, driver):
    name = f"{STACK}-network-disk"
    bench.api.create_volume(name=name, labels={FOREIGN: "1"})
    task = bench.task("backup", volumes={name: "/mnt/store"})
    driver.start_task(UID, task)
    assert bench.finish(UID, "backup") == TaskPhase.DONE
    assert bench.api.inspect_volume(name)["Labels"] == {FOREIGN: "1"}
    assert bench.shared_volumes() == set()


@pytest.mark.parametrize(
    "labels",
    [{objects.LABEL_STACK: STACK}, {objects.LABEL_STACK: "another"}],
    ids=["the stack's own", "another stack's"],
)
def test_a_volume_that_holds_something_else_is_not_shared(bench, driver, labels):
    name = f"{STACK}-keys"
    bench.api.create_volume(name=name, labels={FOREIGN: "1", **labels})
    with refused("foreign"):
        driver.start_task(UID, bench.task("backup", volumes={name: "/mnt/store"}))
    assert bench.containers(UID) == []


def test_a_task_has_no_network_unless_it_asks_for_it(bench, driver):
    driver.start_task(UID, bench.task("seed", exit_code=None))
    assert list(bench.inspect(UID, "seed")["NetworkSettings"]["Networks"]) == ["none"]
    driver.start_task(UID, bench.task("init", exit_code=None, network=True))
    networks = bench.inspect(UID, "init")["NetworkSettings"]["Networks"]
    address = ipaddress.ip_address(networks[NETWORK]["IPAddress"])
    assert address in ipaddress.ip_network("172.28.168.0/21")


def test_a_task_is_as_hardened_as_a_tenant(bench, driver):
    driver.start_task(UID, bench.task("init", exit_code=None))
    tenant = objects.make_tenant(CONFIG, bench.spec())["HostConfig"]
    task = bench.inspect(UID, "init")["HostConfig"]
    for name in ("ReadonlyRootfs", "CapDrop", "SecurityOpt", "Memory", "PidsLimit"):
        assert task[name] == tenant[name], name
    assert task["RestartPolicy"]["Name"] == "no"


def test_a_foreign_container_is_never_taken_for_a_task(bench, driver):
    bench.put_container(f"saas-{UID}-seed", {FOREIGN: "1"})
    with refused("foreign"):
        driver.start_task(UID, bench.task("seed"))
    driver.delete_task(UID, "seed")
    assert FOREIGN in bench.inspect(UID, "seed")["Config"]["Labels"]


def test_a_task_out_of_memory_says_so(bench, driver):
    script = "my $x = 'x' x 200_000_000; print length $x"
    driver.start_task(UID, bench.task("eat", command=("perl", "-e", script)))
    assert bench.finish(UID, "eat") == TaskPhase.FAILED
    assert driver.observe_task(UID, "eat").log.endswith("Out of memory.")


# === KILLED BETWEEN ANY TWO CALLS === #


class _Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test may catch it."""


@contextlib.contextmanager
def _killed_after(monkeypatch, changes):
    """Let that many changing calls reach the engine, then end everything."""
    real, counter = requests.Session.send, itertools.count()

    def send(session, request, **kwargs):
        if request.method != "GET" and next(counter) >= changes:
            raise _Killed
        return real(session, request, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(requests.Session, "send", send)
        yield


def _kill_everywhere(monkeypatch, work, again):
    """Kill ``work`` after 0, 1, 2… changing calls; ``again`` must repair each time."""
    for changes in itertools.count():
        try:
            with _killed_after(monkeypatch, changes):
                work()
        except _Killed:
            again()
        else:
            return changes
    raise AssertionError("unreachable")


def test_a_tenant_made_by_a_killed_worker_is_finished(bench, driver, monkeypatch):
    def again():
        bench.run(bench.spec())
        assert bench.read_file(UID, "odoo.conf") == b"db_password = " + SECRET
        driver.delete(UID, keep_data=False)

    work = lambda: driver.ensure(bench.spec())
    assert _kill_everywhere(monkeypatch, work, again) == 5


def test_a_replacement_by_a_killed_worker_is_finished(bench, driver, monkeypatch):
    changed = bench.spec(files={"odoo.conf": b"changed"})
    before = bench.spec(files={"odoo.conf": b"before", "old.conf": b"old"})

    def again():
        bench.run(changed)
        assert bench.read_file(UID, "odoo.conf") == b"changed"
        assert bench.read_file(UID, "old.conf") is None
        assert bench.read_state(UID, "photo") == b"of the shop"
        prepare()

    def prepare():
        bench.run(before)
        bench.write_state(UID, "photo", b"of the shop")

    prepare()
    work = lambda: driver.ensure(changed)
    assert _kill_everywhere(monkeypatch, work, again) == 8


def test_a_task_started_by_a_killed_worker_is_started_again(bench, driver, monkeypatch):
    task = bench.task("seed", files={"task.conf": b"x"})

    def again():
        assert driver.observe_task(UID, "seed").phase != TaskPhase.FAILED
        driver.start_task(UID, task)
        assert bench.finish(UID, "seed") == TaskPhase.DONE
        driver.delete_task(UID, "seed")

    work = lambda: driver.start_task(UID, task)
    assert _kill_everywhere(monkeypatch, work, again) == 5


def test_a_deletion_by_a_killed_worker_is_finished(bench, driver, monkeypatch):
    def prepare():
        bench.run(bench.spec())
        driver.start_task(UID, bench.task("init", exit_code=None))

    def again():
        driver.delete(UID, keep_data=False)
        assert bench.containers(UID) == []
        filters = objects.make_filters(STACK)
        assert not bench.api.volumes(filters=filters)["Volumes"]
        prepare()

    prepare()
    work = lambda: driver.delete(UID, keep_data=False)
    assert _kill_everywhere(monkeypatch, work, again) == 5


# === THE SERVER === #


def test_a_new_tenant_takes_few_calls(bench, monkeypatch):
    calls = []
    real = requests.Session.send

    def send(session, request, **kwargs):
        calls.append(f"{request.method} {request.path_url}")
        return real(session, request, **kwargs)

    bench.driver.observe(UID)  # so that the version is known
    monkeypatch.setattr(requests.Session, "send", send)
    bench.driver.ensure(bench.spec())
    assert len(calls) == 8, calls
    del calls[:]
    bench.driver.ensure(bench.spec())
    assert len(calls) == 1, calls


def test_the_network_keeps_tenants_apart(bench):
    network = bench.api.inspect_network(NETWORK)
    assert network["Options"] == {
        "com.docker.network.bridge.name": BRIDGE,
        "com.docker.network.bridge.enable_icc": "false",
    }
    assert network["IPAM"]["Config"] == [
        {
            "Subnet": SUBNET,
            "IPRange": "172.28.168.0/21",
            "Gateway": "172.28.160.1",
        }
    ]
    assert network["Labels"] == {"saas.stack": STACK}


def test_the_check_tells_version_and_size(bench):
    assert re.fullmatch(
        r"Docker [\w.+~-]+, API [\d.]+, \d+ CPUs, [\d.]+ GiB memory",
        bench.driver.check(),
    )


def test_without_its_network_a_server_makes_no_tenant(bare_bench):
    driver = bare_bench.driver
    with refused("network_missing") as caught:
        driver.check()
    assert caught.value.message == (
        f"The network {NETWORK} is not on the server {SOCKET}; prepare the server."
    )
    with refused("network_missing"):
        driver.ensure(bare_bench.spec())
    assert bare_bench.containers(UID) == []


def test_a_foreign_network_is_never_adopted_nor_removed(bare_bench):
    api, driver = bare_bench.api, bare_bench.driver
    made = api.create_network(NETWORK, labels={FOREIGN: "1"})
    for call in (
        driver.prepare,
        driver.check,
        lambda: driver.ensure(bare_bench.spec()),
        lambda: driver.start_task(UID, bare_bench.task("init", network=True)),
    ):
        with refused("foreign"):
            call()
    assert api.inspect_network(NETWORK)["Id"] == made["Id"]
    assert bare_bench.containers(UID) == []


def test_a_network_that_lets_tenants_talk_is_refused(bare_bench):
    bare_bench.api.create_network(NETWORK, labels={objects.LABEL_STACK: STACK})
    with refused("network_differs") as caught:
        bare_bench.driver.prepare()
    assert "lets tenants reach one another" in caught.value.message


def test_a_subnet_that_is_taken_is_told(bare_bench):
    config = dataclasses.replace(CONFIG, network=f"{STACK}_second", bridge="saasitest1")
    bare_bench.driver.prepare()
    with refused("subnet_taken"):
        DockerDriver(config).prepare()


def test_a_missing_toolbox_is_told(bench):
    config = dataclasses.replace(CONFIG, toolbox=bench.missing_image)
    with refused("image_missing") as caught:
        DockerDriver(config).check()
    assert bench.missing_image in caught.value.message


def test_what_a_killed_look_at_memory_and_disk_left_goes_with_the_next(bench, driver):
    body = objects.make_measure(CONFIG)
    left = bench.api.create_container_from_config(body)["Id"]
    bench.api.start(left)
    bench.api.wait(left)
    driver.measure()
    assert bench.everything() == []


def test_an_address_taken_by_another_container_is_told(bench, driver):
    bench.api.create_container_from_config(
        {
            "Image": IMAGE,
            "Labels": {FOREIGN: "1"},
            "HostConfig": {"NetworkMode": NETWORK},
            "NetworkingConfig": {
                "EndpointsConfig": {
                    NETWORK: {"IPAMConfig": {"IPv4Address": objects.address(SUBNET, 0)}}
                }
            },
        },
        name=f"{STACK}-squatter",
    )
    bench.api.start(f"{STACK}-squatter")
    with pytest.raises(RetryableError) as caught:
        driver.ensure(bench.spec())
    assert caught.value.reason == "address_taken"
    bench.api.remove_container(f"{STACK}-squatter", force=True)
    bench.run(bench.spec())


def test_volumes_that_an_image_asks_for_go_with_the_container(bench, driver):
    made = set()
    for changed in ("once", "twice"):
        bench.run(bench.spec(environment={"CHANGED": changed}))
        mounts = bench.inspect(UID)["Mounts"]
        made |= {mount["Name"] for mount in mounts if mount["Type"] == "volume"}
    # Its state and its files, and what the image asks for, once for each container.
    assert len(made) == 4
    driver.delete(UID, keep_data=False)
    assert not made & {row["Name"] for row in bench.api.volumes()["Volumes"]}


# === THE WAY TO THE SERVER === #


@pytest.fixture(scope="module")
def tls():
    with TlsRelay(SOCKET.removeprefix("unix://")) as relay:
        yield relay


def _tls_driver(relay, **changes):
    certificates = {"ca": relay.ca, "cert": relay.cert, "key": relay.key}
    config = dataclasses.replace(CONFIG, url=relay.url, **certificates)
    return DockerDriver(dataclasses.replace(config, **changes))


def test_an_engine_is_reached_by_tls(bench, tls):
    bench.run(bench.spec())
    driver = _tls_driver(tls)
    assert driver.check().startswith("Docker ")
    assert driver.observe(UID) == bench.driver.observe(UID)


def test_a_connection_that_is_cut_is_no_end_of_what_is_told(bench, tls):
    driver, begin = _tls_driver(tls), time.time()
    events = driver.events(begin, begin + 60)
    bench.run(bench.spec())
    assert next(events).uid == UID
    tls.cut()
    with pytest.raises(RetryableError) as caught:
        list(events)
    assert caught.value.reason == "unreachable"
    assert time.time() < begin + 30


def test_who_listens_hears_again_after_the_connection_was_cut(bench, tls, monkeypatch):
    monkeypatch.setattr(listener, "LONGEST_PAUSE", 0.1)
    ears = listener.Listener()
    source = functools.partial(listener.hear_containers, _tls_driver(tls))

    def hear(is_enough):
        heard, until = listener.NOTHING, time.monotonic() + 30
        while not is_enough(heard):
            assert time.monotonic() < until, heard
            ears.tend({"the engine": source})
            heard |= ears.take()
            time.sleep(0.05)

    hear(lambda heard: heard.missed)
    for _round in range(2):
        bench.run(bench.spec())
        hear(lambda heard: UID in heard.uids)
        tls.cut()
        hear(lambda heard: heard.missed)
        bench.driver.stop(UID)
        hear(lambda heard: UID in heard.uids)


def test_health_checks_and_tasks_are_no_events(bench, driver):
    driver.ensure(bench.spec(image=IMAGE_CHECKED))
    bench.write_state(UID, "healthy", b"")
    bench.settle(UID, Phase.RUNNING)
    begin = time.time()
    driver.start_task(UID, bench.task("seed"))
    bench.finish(UID, "seed")
    time.sleep(1)
    assert list(driver.events(begin, time.time())) == []


def test_an_engine_whose_authority_we_do_not_know_is_refused(bench, tls):
    with refused("tls") as caught:
        _tls_driver(tls, ca=tls.other_ca).check()
    assert "certificate verify failed" in caught.value.message


def test_an_engine_that_does_not_know_us_is_told_as_such(bench, tls):
    with refused("tls"):
        _tls_driver(tls, cert="", key="").check()


def test_a_key_of_another_certificate_is_refused(bench, tls):
    with refused("tls"):
        _tls_driver(tls, key=tls.other_key).check()


def test_plain_http_to_an_engine_with_tls_is_told(bench, tls):
    with pytest.raises((RefusedError, RetryableError)) as caught:
        _tls_driver(tls, ca="", cert="", key="").check()
    assert caught.value.reason in ("tls", "unreachable")


@pytest.fixture
def silent_port():
    """A port that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_engine_that_does_not_answer_in_time_is_no_absence(silent_port):
    url = f"tcp://127.0.0.1:{silent_port}"
    config = dataclasses.replace(CONFIG, url=url, timeout=0.3)
    with pytest.raises(RetryableError) as caught:
        DockerDriver(config).observe(UID)
    assert caught.value.message == f"The Docker engine at {url} did not answer in time."


def test_a_socket_that_we_may_not_open_is_told_as_such(tmp_path):
    """In a process without rights, as root may open everything."""
    script = (
        "import os, sys; sys.path[:0] = sys.argv[1:4]; import conftest\n"
        "import dataclasses, docker_bench as bench\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: bench.DockerDriver(bench.CONFIG).check()\n"
        "except Exception as error: print(error.reason, error.message)\n"
    )
    folders = [str(path) for path in _test_folders()]
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, *folders],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == (
        f"permission We may not use the Docker engine at {SOCKET}; give this process's "
        "user the right to (for a socket: its group).\n"
    ), done.stderr


def _test_folders():
    folder = pathlib.Path(__file__).resolve().parent
    return [folder.parent, folder.parent / "unit", folder]
