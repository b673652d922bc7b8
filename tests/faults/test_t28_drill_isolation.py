"""T28: a copy that is tried would talk to the world."""

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
from backup_bench_docker import IMAGE, PASSWORD
from docker import APIClient
from docker_bench import SUBNET, DockerBench
from driver_contract import UID

PROGRAMS = pathlib.Path(__file__).parents[2] / "addons/saas_backup/programs"
RELAY = (PROGRAMS / "relay.py").read_bytes()
GATE = "/var/lib/odoo/database.socket"
HOST = str(ipaddress.ip_network(SUBNET)[1])

# Whom its Odoo would talk to.
WORLD = """
CREATE TABLE ir_mail_server (smtp_host text, smtp_port int);
CREATE TABLE payment_provider (host text, port int);
CREATE TABLE ir_cron (host text, port int);
"""

# As boot.py begins, and then whatever the copy itself names.
PROBE = b"""
import json, pathlib, socket, subprocess, sys
sys.path.insert(0, "/etc/odoo")
import boot, psycopg2
name, gate = sys.argv[1:]
relay = subprocess.Popen(["python3", "/etc/odoo/relay.py", "127.0.0.1:5432", gate])
boot.wait_for_database(60)
connection = psycopg2.connect(host="127.0.0.1", port=5432, dbname=name, user=name,
                              password=pathlib.Path("/etc/odoo/pass").read_text())
found = {}
with connection.cursor() as cursor:
    for table in ("ir_mail_server", "payment_provider", "ir_cron"):
        cursor.execute("SELECT * FROM " + table)
        for host, port in cursor.fetchall():
            try:
                with socket.create_connection((host, port), timeout=2) as far:
                    found[table] = far.recv(100).decode()
            except OSError as error:
                found[table] = error.strerror or str(error)
    cursor.execute("SELECT count(*) FROM res_partner")
    [found["partners"]] = cursor.fetchone()
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


@pytest.fixture
def engine():
    """The driver, and the network that tenants have."""
    with APIClient(docker_bench.SOCKET, version="auto", timeout=60) as api:
        docker_bench.clean(api)
        made = DockerBench(api)
        made.driver.prepare()
        yield made
        docker_bench.clean(api)


@pytest.fixture
def database(engine, bench):
    """The port on the gateway of the tenants' network where PostgreSQL answers."""
    port = free_port()
    relay = [sys.executable, PROGRAMS / "relay.py", f"{HOST}:{port}"]
    process = subprocess.Popen([*relay, f"127.0.0.1:{bench.postgres.config.port}"])
    yield port
    process.kill()
    process.wait()


@pytest.fixture
def on_host(engine):
    listener = Listener((HOST, 0))
    yield listener
    listener.close()


@pytest.fixture
def in_container(engine):
    """The port of a listener in another container, which the whole host offers."""
    port = free_port()
    script = (
        "import socket; server = socket.create_server(('', %d))\n"
        "while True:\n    far = server.accept()[0]; far.sendall(b'hello'); far.close()"
    )
    body = {
        "Image": IMAGE,
        "Cmd": ["python3", "-c", script % port],
        "Labels": {docker_bench.FOREIGN: "1"},
        "HostConfig": {"Init": True, "NetworkMode": "host"},
    }
    name = f"{docker_bench.STACK}-listener"
    engine.api.create_container_from_config(body, name=name)
    engine.api.start(name)
    return port


def free_port():
    with socket.create_server((HOST, 0)) as free:
        return free.getsockname()[1]


def open_gate(engine, port):
    """As the drill opens it."""
    command = ("python3", "/etc/odoo/relay.py", GATE, f"{HOST}:{port}")
    task = engine.task(
        "gate", image=IMAGE, command=command, files={"relay.py": RELAY}, network=True
    )
    engine.driver.start_task(UID, task)


def try_out(engine, key, uid, *, network):
    """What a throwaway with that database reaches of what its copy names."""
    # Only what it does before it needs Odoo; the library of tokens is not in here.
    boot = (PROGRAMS / "boot.py").read_text().replace("import jwt\n", "")
    task = engine.task(
        key,
        image=IMAGE,
        command=("python3", "/etc/odoo/probe.py", uid, GATE),
        files={
            "probe.py": PROBE,
            "relay.py": RELAY,
            "boot.py": boot.encode(),
            "pass": PASSWORD.encode(),
        },
        network=network,
    )
    engine.driver.start_task(UID, task)
    engine.finish(UID, key)
    seen = engine.driver.observe_task(UID, key)
    assert seen.exit_code == 0, seen.log
    return json.loads(seen.log.splitlines()[-1])


@pytest.mark.case(
    did="a copy is restored and tried as a drill tries it, and in a tenant's network; "
    "its mail server, payment provider and scheduled action are a listener on the "
    "host, one in another container, and the database server itself",
    expected="the throwaway has its database, rows and all, and reaches none of them",
)
def test_t28_a_copy_that_is_tried_reaches_its_database_and_nothing_else(
    bench, tenant, fresh, engine, database, on_host, in_container, found
):
    bench.sql(tenant, WORLD)
    bench.sql(tenant, "INSERT INTO ir_mail_server VALUES (%s, %s)", HOST, on_host.port)
    bench.sql(
        tenant, "INSERT INTO payment_provider VALUES (%s, %s)", HOST, in_container
    )
    bench.sql(tenant, "INSERT INTO ir_cron VALUES (%s, %s)", HOST, database)
    bench.run("backup", tenant, backup="b1")
    bench.run("restore", tenant, to=fresh, backup="b1")
    open_gate(engine, database)

    # Where there is a network the listeners can be heard.
    reached = try_out(engine, "open", fresh, network=True)
    assert (reached["ir_mail_server"], reached["payment_provider"]) == ("hello",) * 2
    assert on_host.heard == 1

    tried = try_out(engine, "closed", fresh, network=False)
    away = "Network is unreachable"
    assert tried == {
        "ir_mail_server": away,
        "payment_provider": away,
        "ir_cron": away,
        "partners": 5000,
    }
    assert on_host.heard == 1
    found(f"in a tenant's network: {reached}")
    found(f"as a drill: {tried}; the listener heard 0 connections")


@pytest.mark.case(
    did="the gate to the database is killed between two tries",
    expected="it opens again at the same place",
)
def test_t28_a_gate_that_was_killed_opens_again(bench, fresh, engine, database, found):
    bench.sql(fresh, f"CREATE TABLE res_partner (id int); {WORLD}")
    open_gate(engine, database)
    assert try_out(engine, "first", fresh, network=False) == {"partners": 0}
    engine.api.kill(f"saas-{UID}-gate")
    engine.driver.delete_task(UID, "gate")
    open_gate(engine, database)
    assert try_out(engine, "second", fresh, network=False) == {"partners": 0}
    found("the database was there both times")
