"""The stack as it runs: limits and health of containers, and what the proxy adds."""

import base64
import collections
import concurrent.futures
import http.client
import os
import secrets
import socket
import time

import pytest
import requests

from .program import make_stack

SERVICES = ("db", "web", "worker", "proxy", "gateway", "switch", "firewall", "mail")
MASTER, TENANT = "master", "tenant"


@pytest.fixture(scope="module")
def urls(residents):
    return {MASTER: os.environ["SAAS_URL"], TENANT: residents[0].url}


# === CONTAINERS === #


def containers_of(stack, residents):
    containers = {name: stack.container(name) for name in SERVICES}
    return containers | {TENANT: residents[0].container}


def wait_healthy(container, seconds=60):
    until = time.monotonic() + seconds
    while True:
        container.reload()
        health = container.attrs["State"]["Health"]["Status"]
        if health == "healthy" or time.monotonic() > until:
            return health
        time.sleep(0.5)


def test_every_container_is_healthy_by_a_check_of_its_own(stack, residents):
    for name, container in containers_of(stack, residents).items():
        assert container.attrs["Config"]["Healthcheck"]["Test"][0] != "NONE", name
        assert wait_healthy(container) == "healthy", name


def test_every_container_has_limits_and_rotates_its_log(stack, residents):
    containers = containers_of(stack, residents) | {"keys": stack.container("keys")}
    for name, container in containers.items():
        host = container.attrs["HostConfig"]
        assert 0 < host["Memory"] <= 4 * 1024**3, name
        assert 0 < host["NanoCpus"] <= 4e9, name
        assert 0 < host["PidsLimit"] <= 1000, name
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}, name
        assert any("no-new-privileges" in option for option in host["SecurityOpt"]), (
            name
        )
        assert "ALL" in host["CapDrop"], name
        assert host["ReadonlyRootfs"], name


def test_no_port_of_ours_but_two_on_addresses_of_this_machine_is_published(
    stack, residents
):
    published = {
        (name, binding["HostIp"], binding["HostPort"])
        for name, container in containers_of(stack, residents).items()
        for bindings in (container.attrs["HostConfig"]["PortBindings"] or {}).values()
        for binding in bindings
    }
    assert published == {
        ("db", os.environ["SAAS_TENANT_GATEWAY"], "5432"),
        ("mail", "127.0.0.1", os.environ["SAAS_MAIL_PORT"]),
    }


def test_the_roles_of_the_master_are_no_superusers(stack):
    columns = "rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication"
    rows = stack.sql(
        f"SELECT {columns}, rolbypassrls FROM pg_roles"
        " WHERE rolname IN ('saas_master', 'saas_provisioner') ORDER BY 1"
    )
    assert rows == ["saas_master|f|f|f|f|f", "saas_provisioner|f|t|t|f|f"]
    assert stack.sql("SELECT rolname FROM pg_roles WHERE rolsuper") == ["postgres"]


def test_databases_are_spread_over_the_disk_where_it_is_ext4(stack):
    marks = "lsattr -d /var/lib/postgresql/data/17/base 2>&1 | cut -d ' ' -f 1"
    kind = "stat --file-system --format %T /var/lib/postgresql/data"
    answer = stack.container("db").exec_run(["sh", "-c", f"{kind}; {marks}"])
    filesystem, attributes = answer.output.decode().split("\n")[:2]
    assert ("T" in attributes) == (filesystem == "ext2/ext3"), answer.output


def test_nothing_shared_is_open_to_every_role(stack):
    open_to_all = stack.sql(
        "SELECT datname FROM pg_database CROSS JOIN LATERAL aclexplode("
        " coalesce(datacl, acldefault('d', datdba)))"
        " WHERE grantee = 0 AND privilege_type IN ('CONNECT', 'TEMPORARY')"
        " AND datallowconn"
    )
    assert open_to_all == []


# === PROXY === #


@pytest.mark.parametrize("where", [MASTER, TENANT])
def test_answers_carry_security_headers_and_do_not_name_the_server(urls, where):
    answer = requests.get(f"{urls[where]}/web/login", timeout=30)
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert "microphone=(self)" in answer.headers["Permissions-Policy"]
    assert "Server" not in answer.headers


@pytest.mark.parametrize("where", [MASTER, TENANT])
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_answers_are_compressed(urls, where, encoding):
    url = f"{urls[where]}/web/login"
    headers = {"Accept-Encoding": encoding}
    answer = requests.get(url, headers=headers, timeout=30, stream=True)
    assert answer.headers["Content-Encoding"] == encoding
    plain = requests.get(url, headers={"Accept-Encoding": "identity"}, timeout=30)
    assert "Content-Encoding" not in plain.headers
    assert len(answer.raw.read(decode_content=False)) < len(plain.content)


@pytest.mark.parametrize("where", [MASTER, TENANT])
def test_the_session_cookie_is_not_for_scripts(urls, where):
    cookie = requests.get(f"{urls[where]}/web/login", timeout=30).headers["Set-Cookie"]
    assert "session_id=" in cookie
    assert "HttpOnly" in cookie
    # The one of a tenant is hardened by our own addon there.
    assert where == MASTER or "SameSite=Lax" in cookie


def flood(url, until, statuses):
    """Ask again and again by one connection, as a new client each time by its word."""
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
    while 429 not in statuses and time.monotonic() < until:
        stranger = f"203.0.113.{secrets.randbelow(250)}"
        headers = {"Host": f"{host}:{port}", "X-Forwarded-For": stranger}
        connection.request("GET", "/web/health", headers=headers)
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] += 1
    connection.close()


@pytest.mark.parametrize("where", [MASTER, TENANT])
def test_who_asks_too_often_is_told_so_and_is_welcome_again(urls, where):
    statuses = collections.Counter()
    until = time.monotonic() + 60
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for _each in range(16):
            pool.submit(flood, urls[where], until, statuses)
    assert statuses[429], statuses
    assert statuses[200] >= 400, statuses
    time.sleep(2)
    assert requests.get(f"{urls[where]}/web/health", timeout=30).status_code == 200


def test_one_tenant_flooded_leaves_the_others_alone(residents):
    [alfa, beta] = residents
    statuses = collections.Counter()
    until = time.monotonic() + 60
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _each in range(8):
            pool.submit(flood, alfa.url, until, statuses)
    assert statuses[429], statuses
    for _each in range(20):
        answer = requests.get(f"{beta.url}/web/health", timeout=30)
        assert answer.status_code == 200


class WebSocket:
    """As much of the protocol as shows that the other side speaks it."""

    def __init__(self, url):
        host, port = url.removeprefix("http://").split(":")
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.socket = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
        self.socket.sendall(
            (
                "GET /websocket HTTP/1.1\r\n"
                f"Host: {host}:{port}\r\nOrigin: {url}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
            ).encode()
        )
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            assert byte, self.head
            self.head += byte

    def ping(self, payload):
        """Send a ping; what comes back."""
        mask = secrets.token_bytes(4)
        masked = bytes(c ^ mask[i % 4] for i, c in enumerate(payload))
        self.socket.sendall(bytes([0x89, 0x80 | len(payload)]) + mask + masked)
        return self.socket.recv(2 + len(payload), socket.MSG_WAITALL)


@pytest.mark.parametrize("where", [MASTER, TENANT])
def test_a_websocket_passes_the_proxy(urls, where):
    websocket = WebSocket(urls[where])
    with websocket.socket:
        assert websocket.head.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-Websocket-Accept:" in websocket.head.replace(
            b"WebSocket", b"Websocket"
        )
        assert websocket.ping(b"saas") == b"\x8a\x04saas"


def test_the_proxy_has_no_dashboard_and_answers_its_health_check_to_itself(urls):
    port = os.environ["SAAS_HTTP_PORT"]
    for path in ("/dashboard/", "/api/rawdata", "/api/overview", "/metrics", "/debug"):
        answer = requests.get(f"http://127.0.0.1:{port}{path}", timeout=30)
        assert answer.status_code == 404, path
    for where in (MASTER, TENANT):
        assert requests.get(f"{urls[where]}/ping", timeout=30).text != "OK"
    gateway = os.environ["SAAS_TENANT_GATEWAY"]
    answer = requests.get(f"http://{gateway}:{port}/ping", timeout=30)
    assert answer.status_code == 404


# === AGAIN, AND BESIDE OTHERS === #


def take_stock(stack):
    """What the stack consists of; containers with the moment at which they started."""
    ours = {"label": f"saas.stack={stack.name}"}
    engine = stack.engine
    inventory = stack.take_inventory()
    return (
        {
            container.name: (container.id, container.attrs["State"]["StartedAt"])
            for container in engine.containers.list(
                all=True, filters=ours, ignore_removed=True
            )
            # It looks whether all keys are there, each time.
            if container.labels.get("com.docker.compose.service") != "keys"
        },
        {volume.name for volume in engine.volumes.list(filters=ours)},
        {network.id for network in engine.networks.list(filters=ours)},
        (inventory.databases, inventory.roles, inventory.routes),
    )


def test_bringing_the_stack_up_again_is_quick_and_changes_nothing(
    stack, residents, tmp_path
):
    # The first time it brings in what was edited while other tests ran.
    make_stack(tmp_path / "log").up()
    before = take_stock(stack)
    began = time.monotonic()
    make_stack(tmp_path / "log").up()
    assert time.monotonic() - began < 30
    assert take_stock(stack) == before
    for resident in residents:
        assert requests.get(f"{resident.url}/web/login", timeout=30).status_code == 200


def test_what_another_stack_has_on_the_engine_is_neither_touched_nor_reported(
    master, stack, engine
):
    [server] = master.search("saas.server", [])
    uid = f"t{secrets.token_hex(6)}"
    labels = {"saas.stack": "another", "saas.tenant": uid, "saas.kind": "tenant"}
    foreign = engine.containers.create(
        "saas-toolbox", ["sleep", "60"], name=f"saas-{uid}", labels=labels
    )
    volume = engine.volumes.create(f"saas-{uid}-state", labels=labels)
    try:
        resync(master, stack)
        assert uid not in (master.read("saas.server", server, "orphans") or "")
        assert engine.containers.get(foreign.id).name == f"saas-{uid}"
        assert engine.volumes.get(volume.name)
    finally:
        foreign.remove(force=True)
        volume.remove()


def test_what_is_ours_and_belongs_to_nobody_is_reported_and_stays(
    master, stack, engine
):
    [server] = master.search("saas.server", [])
    uid = f"t{secrets.token_hex(6)}"
    labels = {"saas.stack": stack.name, "saas.tenant": uid, "saas.kind": "state"}
    volume = engine.volumes.create(f"saas-{uid}-state", labels=labels)
    try:
        resync(master, stack)
        assert f"{uid}: volumes" in master.read("saas.server", server, "orphans")
        assert engine.volumes.get(volume.name)
    finally:
        volume.remove()
    resync(master, stack)
    assert uid not in (master.read("saas.server", server, "orphans") or "")


def resync(_master, stack):
    """Have the worker compare everything now, as its scheduled action does."""
    run_scheduled(stack, "ir_cron_resync")


def run_scheduled(stack, name, seconds=60):
    """Have the worker run a scheduled action of ours from now on, and wait for its end.

    Odoo takes an order away in the transaction of the run that it caused, so that a
    run that was under way already, and may have looked too early, does not count.
    """
    [cron] = stack.sql(
        f"SELECT res_id FROM ir_model_data WHERE module = 'saas' AND name = '{name}'",
        "master",
    )
    # Odoo compares whole seconds.
    [order] = stack.sql(
        "INSERT INTO ir_cron_trigger (cron_id, call_at)"
        f" VALUES ({cron}, date_trunc('second', now() AT TIME ZONE 'UTC'))"
        " RETURNING id; NOTIFY cron_trigger, 'master'",
        "master",
    )
    query = f"SELECT id FROM ir_cron_trigger WHERE id = {order}"
    until = time.monotonic() + seconds
    while stack.sql(query, "master"):
        assert time.monotonic() < until, "the scheduled action did not run"
        time.sleep(0.2)
