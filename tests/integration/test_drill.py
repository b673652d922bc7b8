"""A throwaway without a network, and the one way out of it: the driver's own tasks."""

from __future__ import annotations

import ipaddress
import json
import pathlib
import socket
import subprocess
import sys
import threading

import docker_bench
import pytest
from docker_bench import SUBNET, DockerBench
from driver_contract import UID
from postgres_bench import PostgresBench

PROGRAMS = pathlib.Path(__file__).parents[2] / "addons/saas_backup/programs"
RELAY = (PROGRAMS / "relay.py").read_bytes()
GATE = "/var/lib/odoo/database.socket"
TOOLBOX = "saas-toolbox"
HOST = str(ipaddress.ip_network(SUBNET)[1])

# As boot.py begins, and then everything that a copy could try.
PROBE = b"""
import json, socket, subprocess, sys, time
sys.path.insert(0, "/etc/odoo")
import boot
targets = json.loads(sys.argv[1])
relay = ["python3", "/etc/odoo/relay.py", "127.0.0.1:5432", sys.argv[2]]
relay = subprocess.Popen(relay)
boot.wait_for_database(20)
found = {"database": subprocess.run(
    ["psql", "-h", "127.0.0.1", "-U", "saas_provisioner", "-d", "postgres", "-Atc",
     "SELECT 6 * 7"], env={"PGPASSFILE": "/tmp/pass", "PATH": "/usr/bin"},
    capture_output=True, text=True).stdout.strip()}
for name, (host, port) in targets.items():
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            found[name] = connection.recv(100).decode()
    except OSError:
        found[name] = ""
print(json.dumps(found))
"""


class Listener:
    """Greets whoever comes, and remembers that somebody came."""

    def __init__(self, address):
        self.heard = 0
        self._socket = socket.create_server(address)
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            self.heard += 1
            with connection:
                connection.sendall(b"hello")

    def close(self):
        self._socket.close()


@pytest.fixture(scope="module")
def postgres():
    made = PostgresBench()
    yield made
    made.close()


@pytest.fixture
def bench(docker_api):
    docker_bench.clean(docker_api)
    made = DockerBench(docker_api)
    made.driver.prepare()
    yield made
    docker_bench.clean(docker_api)


@pytest.fixture
def database(bench, postgres):
    """The port on the gateway of the tenants' network where PostgreSQL answers."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    relay = [sys.executable, PROGRAMS / "relay.py", f"{HOST}:{port}"]
    process = subprocess.Popen([*relay, f"127.0.0.1:{postgres.config.port}"])
    yield port
    process.kill()
    process.wait()


@pytest.fixture
def on_host(bench):
    listener = Listener((HOST, 0))
    yield listener
    listener.close()


@pytest.fixture
def in_container(bench):
    """The port of a listener in another container, which the whole host offers."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    script = (
        f"use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => {port},"
        " Listen => 5, ReuseAddr => 1) or die;"
        " while (my $c = $s->accept) { print $c 'hello'; close $c; }"
    )
    name = f"{docker_bench.STACK}-listener"
    labels = {docker_bench.FOREIGN: "1"}
    bench.put_container(name, labels, NetworkMode="host")
    bench.api.start(name)
    run = bench.api.exec_create(name, ["perl", "-e", script])
    bench.api.exec_start(run["Id"], detach=True)
    return port


def open_gate(bench, port):
    """As the drill opens it."""
    command = ("python3", "/etc/odoo/relay.py", GATE, f"{HOST}:{port}")
    task = bench.task(
        "gate", image=TOOLBOX, command=command, files={"relay.py": RELAY}, network=True
    )
    bench.driver.start_task(UID, task)


def try_out(bench, postgres, key, targets, *, network):
    """What a throwaway reaches, by name."""
    password = f"*:*:*:*:{postgres.password}".encode()
    # Only what it does before it needs Odoo; the library of tokens is not in here.
    boot = (PROGRAMS / "boot.py").read_text().replace("import jwt\n", "")
    # libpq takes a file with passwords only where nobody else can read it.
    script = (
        f"umask 077; cp /etc/odoo/pass /tmp/pass; exec python3 /etc/odoo/probe.py"
        f" '{json.dumps(targets)}' {GATE}"
    )
    task = bench.task(
        key,
        image=TOOLBOX,
        command=("sh", "-c", script),
        files={
            "probe.py": PROBE,
            "relay.py": RELAY,
            "boot.py": boot.encode(),
            "pass": password,
        },
        network=network,
    )
    bench.driver.start_task(UID, task)
    bench.finish(UID, key)
    seen = bench.driver.observe_task(UID, key)
    assert seen.exit_code == 0, seen.log
    return json.loads(seen.log.splitlines()[-1])


def test_a_throwaway_reaches_its_database_and_nothing_else(
    bench, postgres, database, on_host, in_container
):
    targets = {
        "host": (HOST, on_host.port),
        "container": (HOST, in_container),
        "database server itself": (HOST, database),
    }
    open_gate(bench, database)
    # The same where there is a network: the listeners can be heard.
    found = try_out(bench, postgres, "open", targets, network=True)
    assert (found["host"], found["container"]) == ("hello", "hello")
    assert on_host.heard == 1

    found = try_out(bench, postgres, "closed", targets, network=False)
    assert found == {
        "database": "42",
        "host": "",
        "container": "",
        "database server itself": "",
    }
    assert on_host.heard == 1


def test_a_gate_that_was_killed_opens_again(bench, postgres, database):
    open_gate(bench, database)
    try_out(bench, postgres, "first", {}, network=False)
    bench.api.kill(f"saas-{UID}-gate")
    bench.driver.delete_task(UID, "gate")
    open_gate(bench, database)
    found = try_out(bench, postgres, "second", {}, network=False)
    assert found == {"database": "42"}
