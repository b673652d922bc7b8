"""What a customer reaches who has a shell in their own container: nothing of others."""

import concurrent.futures
import contextlib
import http.client
import os
import socket
import time

import pytest
import requests

from . import machine
from .residents import run_python

PG_PORT = 5432
HTTP_PORT = 8069
GATEWAY_PORT = 8070
LINK_LOCAL = "169.254.77.31"


@pytest.fixture(scope="module")
def alfa(residents):
    return residents[0]


@pytest.fixture(scope="module")
def beta(residents):
    return residents[1]


# === NETWORK === #


def test_a_tenant_connects_to_postgresql_on_the_gateway_and_to_nothing_else_here(
    alfa, beta
):
    gateway = os.environ["SAAS_TENANT_GATEWAY"]
    proxy = int(os.environ["SAAS_HTTP_PORT"])
    own = machine.addresses()
    assert gateway in own
    with machine.listening() as port:
        targets = [
            [beta.address, HTTP_PORT],
            [os.environ["SAAS_WEB_ADDRESS"], HTTP_PORT],
            [os.environ["SAAS_WORKER_ADDRESS"], HTTP_PORT],
            [os.environ["SAAS_DB_ADDRESS"], PG_PORT],
            [os.environ["SAAS_GATEWAY_ADDRESS"], GATEWAY_PORT],
            *([address, port] for address in own),
            *([address, proxy] for address in own),
        ]
        from_here = machine.connect([*targets, [gateway, PG_PORT]])
        found = alfa.run(machine.CONNECT, [*targets, [gateway, PG_PORT]])
    assert set(from_here.values()) == {"open"}, from_here
    assert found.pop(f"{gateway} {PG_PORT}") == "open"
    assert set(found.values()) <= {"no answer", "ECONNREFUSED", "EHOSTUNREACH"}, found


def test_the_kernel_itself_leads_a_tenant_to_postgresql(stack, alfa):
    """And no program between them, which would take as long again as the database."""
    target = [os.environ["SAAS_TENANT_GATEWAY"], PG_PORT]
    before = count_led(stack)
    assert set(alfa.run(machine.CONNECT, [target]).values()) == {"open"}
    assert count_led(stack) > before


def count_led(stack):
    """How many connections were led from the gateway to PostgreSQL."""
    script = """
for program in iptables-nft iptables-legacy; do
    $program -w -t nat -vnxL "SAAS-$SAAS_STACK-NAT" 2>/dev/null
done
"""
    listed = stack.container("firewall").exec_run(["sh", "-c", script])
    lines = listed.output.decode().splitlines()
    return sum(int(line.split()[0]) for line in lines if "DNAT" in line)


def test_no_datagram_of_a_tenant_reaches_this_machine(alfa):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", 0))
        server.settimeout(1)
        port = server.getsockname()[1]
        targets = [[address, port] for address in machine.addresses()]
        alfa.run(machine.SEND, targets, "from a tenant")
        with pytest.raises(TimeoutError):
            server.recv(100)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"from here", tuple(targets[0]))
        assert server.recv(100) == b"from here"


def test_a_tenant_has_no_other_internet_protocol(alfa):
    script = """
import json, pathlib
def lines(name):
    path = pathlib.Path("/proc/net", name)
    return path.read_text().splitlines() if path.exists() else []
print(json.dumps({
    "addresses": [line.split()[5] for line in lines("if_inet6")],
    "routes": [l.split()[9] for l in lines("ipv6_route") if l.split()[9] != "lo"],
}))
"""
    found = alfa.run(script)
    assert set(found["addresses"]) <= {"lo"}
    assert found["routes"] == []


@pytest.fixture
def closed_in(stack):
    """The firewall's container, with its rules in force before and afterwards."""
    firewall = stack.container("firewall")
    yield firewall
    firewall.start()
    wait_for_rules(firewall)


def wait_for_rules(firewall, seconds=30):
    until = time.monotonic() + seconds
    while firewall.exec_run(["saas-firewall", "check"]).exit_code:
        assert time.monotonic() < until, "the firewall's rules are not back"
        time.sleep(0.2)


def remove_rules(engine, firewall):
    """Take our rules away for good: their keeper is stopped first."""
    firewall.stop()
    engine.containers.run(
        firewall.image.id,
        ["remove"],
        environment=firewall.attrs["Config"]["Env"],
        network_mode="host",
        cap_drop=["ALL"],
        cap_add=["NET_ADMIN", "NET_RAW"],
        tmpfs={"/run": "size=1m"},
        remove=True,
    )


def test_a_link_local_address_is_closed_by_our_rules_and_by_nothing_else(
    engine, stack, alfa, closed_in
):
    assert not machine.is_local(LINK_LOCAL)
    with contextlib.ExitStack() as after:
        after.enter_context(machine.address_added(engine, stack.name, LINK_LOCAL))
        # Nobody else's address is ever contacted.
        assert machine.is_local(LINK_LOCAL)
        port = after.enter_context(machine.listening(LINK_LOCAL))
        target = [LINK_LOCAL, port]
        key = f"{LINK_LOCAL} {port}"

        assert machine.connect([target])[key] == "open"
        assert alfa.run(machine.CONNECT, [target])[key] == "no answer"
        remove_rules(engine, closed_in)
        assert alfa.run(machine.CONNECT, [target])[key] == "open"
        closed_in.start()
        wait_for_rules(closed_in)
        assert alfa.run(machine.CONNECT, [target])[key] == "no answer"
    assert not machine.is_local(LINK_LOCAL)


# === PROXY === #

CLOSED = [
    "/web/database/manager",
    "/web/database/selector",
    "/web/database/list",
    "/web/database/create",
    "/web/database/drop",
    "/web/database/backup",
    "/web/database/restore",
    "/web/database/change_password",
    "/queue_job/runjob?db=master&job_uuid=1",
    "/queue_job/create_test_job",
    "//web/database/manager",
    "/web//database/manager",
    "///queue_job///runjob",
    "/web/./database/manager",
    "/web/x/../database/manager",
    "/x/../queue_job/runjob",
    "/%77eb/database/manager",
    "/web/%64atabase/manager",
    "/web%2Fdatabase/manager",
    "/web%2fdatabase%2fmanager",
    "/web%252Fdatabase/manager",
    "/web%5Cdatabase/manager",
    "/web\\database\\manager",
    "/queue_job%2Frunjob",
    "/%71ueue_job/runjob",
    "/queue%5Fjob/runjob",
    "/en/web/database/manager",
    "/en_US/web/database/manager",
    "/web/database/manager;x",
    "/web/database;x/manager",
]


def ask(host, path, method="GET"):
    """Send a path as it is written; status and body."""
    port = int(os.environ["SAAS_HTTP_PORT"])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", f"{host}:{port}")
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, body


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", CLOSED)
def test_the_proxy_closes_what_manages_databases_and_jobs(beta, path, method):
    for host in (beta.host, os.environ["SAAS_HOST"]):
        status, body = ask(host, path, method)
        assert status in (400, 404), (host, body)
        assert "master_pwd" not in body


def test_what_is_closed_is_so_by_its_name_and_not_because_nothing_answers(beta):
    for host in (beta.host, os.environ["SAAS_HOST"]):
        assert ask(host, "/web/login")[0] == 200
        assert ask(host, "/web/health")[0] == 200


def test_the_session_of_one_tenant_is_a_stranger_s_at_another(master, alfa, beta):
    session = requests.Session()
    link = master.call("saas.tenant", "get_login_url", alfa.id)
    assert session.get(link, timeout=30).url.startswith(f"{alfa.url}/odoo")
    cookies = {"session_id": session.cookies["session_id"]}
    for url in (beta.url, os.environ["SAAS_URL"]):
        answer = requests.get(f"{url}/odoo", cookies=cookies, timeout=30)
        assert "/web/login" in answer.url
        assert '"is_system": true' not in answer.text


def test_a_host_name_of_nobody_leads_nowhere():
    domain = os.environ["SAAS_TENANT_DOMAIN"]
    for host in (f"nobody.{domain}", domain, "127.0.0.1", "example.com"):
        assert ask(host, "/web/login")[0] == 404


# === POSTGRESQL === #

# Connects to each database with the tenant's own credentials, or with a given role.
DATABASES = """
import configparser, json, psycopg2, sys
config = configparser.RawConfigParser()
config.read("/etc/odoo/odoo.conf")
options = config["options"]
names, role = json.loads(sys.argv[1]), json.loads(sys.argv[2])
found = {}
for name in names:
    try:
        psycopg2.connect(
            host=options["db_host"], port=options["db_port"],
            user=role or options["db_user"], password=options["db_password"],
            dbname=name, connect_timeout=10,
        ).close()
    except psycopg2.OperationalError as error:
        found[name] = str(error).strip()
    else:
        found[name] = "open"
print(json.dumps(found))
"""

# Runs each statement in the tenant's own database; what came, or why not.
STATEMENTS = """
import configparser, json, psycopg2, sys
config = configparser.RawConfigParser()
config.read("/etc/odoo/odoo.conf")
options = config["options"]
connection = psycopg2.connect(
    host=options["db_host"], port=options["db_port"], user=options["db_user"],
    password=options["db_password"], dbname=options["db_name"],
)
connection.autocommit = True
found = []
for statement in json.loads(sys.argv[1]):
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
        found.append(cursor.fetchall() if cursor.description else "done")
    except psycopg2.Error as error:
        found.append(error.diag.message_primary)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def template(master):
    [number, *_] = master.search("saas.template", [("state", "=", "ready")])
    return master.read("saas.template", number, "uid")


def test_a_tenant_opens_its_own_database_and_no_other(alfa, beta, template):
    closed = ["postgres", "template1", "master", beta.uid]
    found = alfa.run(DATABASES, [alfa.uid, *closed, template, "template0"], "")
    assert found.pop(alfa.uid) == "open"
    for name in closed:
        assert f'permission denied for database "{name}"' in found[name]
    for name in (template, "template0"):
        refusals = ("permission denied", "not currently accepting connections")
        assert any(refusal in found[name] for refusal in refusals), found[name]


@pytest.mark.parametrize(
    "role", ["postgres", "saas_master", "saas_provisioner", "beta", "template"]
)
def test_a_tenant_cannot_pass_for_another_role(alfa, beta, template, role):
    role = {"beta": beta.uid, "template": template}.get(role, role)
    names = ["postgres", "master", alfa.uid, beta.uid]
    for message in alfa.run(DATABASES, names, role).values():
        assert "authentication failed" in message or "rejects connection" in message


def test_a_tenant_s_role_can_do_nothing_outside_its_database(alfa, beta):
    mine = alfa.uid
    statements = [
        "CREATE ROLE intruder LOGIN",
        "CREATE DATABASE intruder",
        f"ALTER ROLE {beta.uid} PASSWORD 'known'",
        f"ALTER ROLE {mine} CREATEDB",
        f"ALTER ROLE {mine} CONNECTION LIMIT -1",
        f"ALTER ROLE {mine} SUPERUSER",
        "SET ROLE saas_provisioner",
        f"SET ROLE {beta.uid}",
        f"GRANT {beta.uid} TO {mine}",
        f"DROP ROLE {beta.uid}",
        f"DROP DATABASE {beta.uid}",
        f"ALTER DATABASE {beta.uid} OWNER TO {mine}",
        "SELECT rolpassword FROM pg_authid",
        "SELECT passwd FROM pg_shadow",
        "SELECT pg_read_file('/run/saas/db/saas_provisioner')",
        "SELECT pg_ls_dir('/')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/file'",
        "CREATE EXTENSION dblink",
        "CREATE EXTENSION postgres_fdw",
        "CREATE EXTENSION file_fdw",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x', 'y'",
        "ALTER SYSTEM SET log_statement = 'all'",
        "SELECT pg_reload_conf()",
        "SELECT lo_import('/etc/passwd')",
    ]
    found = alfa.run(STATEMENTS, [*statements, "SELECT 1"])
    assert found.pop() == [[1]]
    words = ("permission denied", "must be", "not owner", "Only roles", "not allowed")
    allowed = [
        (statement, answer)
        for statement, answer in zip(statements, found, strict=True)
        if not isinstance(answer, str) or not any(word in answer for word in words)
    ]
    assert not allowed


def test_a_tenant_does_not_see_what_others_ask_of_the_database(alfa, beta):
    seen = "FROM pg_stat_activity WHERE"
    statements = [
        f"SELECT count(*) {seen} datname = '{beta.uid}'",
        f"SELECT DISTINCT query, client_addr::text {seen} datname = '{beta.uid}'",
        f"SELECT count(*) {seen} pid = pg_backend_pid() AND query LIKE 'SELECT count%'",
    ]
    [[databases], rows, own] = alfa.run(STATEMENTS, statements)
    assert databases[0] > 0, "beta has no connection, so nothing was looked at"
    assert own == [[1]]
    assert rows == [["<insufficient privilege>", None]]


LISTEN = """
import configparser, json, psycopg2, select, sys, time
config = configparser.RawConfigParser()
config.read("/etc/odoo/odoo.conf")
options = config["options"]
connection = psycopg2.connect(
    host=options["db_host"], port=options["db_port"], user=options["db_user"],
    password=options["db_password"], dbname=options["db_name"],
)
connection.autocommit = True
connection.cursor().execute("LISTEN saas_e2e")
heard, until = [], time.monotonic() + 20
while "end" not in heard and time.monotonic() < until:
    select.select([connection], [], [], 0.5)
    connection.poll()
    heard += [notify.payload for notify in connection.notifies]
    connection.notifies.clear()
print(json.dumps(heard))
"""


def test_a_tenant_hears_no_notification_of_others(stack, alfa, beta):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        heard = pool.submit(alfa.run, LISTEN)
        listeners = "SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN saas_e2e'"
        until = time.monotonic() + 15
        while not stack.sql(listeners):
            assert time.monotonic() < until, heard.exception(timeout=30)
            time.sleep(0.1)
        beta.run(STATEMENTS, ["NOTIFY saas_e2e, 'beta'"])
        for database in ("postgres", "master"):
            stack.sql(f"NOTIFY saas_e2e, '{database}'", database)
        stack.sql("NOTIFY saas_e2e, 'end'", alfa.uid)
        assert heard.result(timeout=30) == ["end"]


# === CONTAINER === #

WRITABLE = """
import json, os
found = []
for folder, folders, files in os.walk("/"):
    if folder in ("/proc", "/sys", "/dev", "/tmp", "/var/lib/odoo"):
        folders.clear()
        continue
    for name in ["", *files]:
        path = os.path.join(folder, name)
        if not os.path.islink(path) and os.access(path, os.W_OK):
            found.append(path)
print(json.dumps(found))
"""


def test_a_tenant_writes_its_state_and_its_tmp_and_nothing_else(alfa):
    assert alfa.run(WRITABLE) == []
    script = """
import json, os, pathlib
def write(folder):
    path = pathlib.Path(folder, "saas-e2e")
    try:
        path.write_text("x")
        path.unlink()
    except OSError as error:
        return error.strerror
    return "written"
folders = ("/var/lib/odoo", "/tmp", "/etc/odoo", "/etc", "/usr/bin", "/", "/run",
           "/mnt/extra-addons", "/proc/sys/kernel", "/sys/fs/cgroup")
print(json.dumps({name: write(name) for name in folders if os.path.isdir(name)}))
"""
    found = alfa.run(script)
    assert found.pop("/var/lib/odoo") == found.pop("/tmp") == "written"
    assert "/etc/odoo" in found
    assert "written" not in found.values(), found


def test_a_tenant_s_configuration_is_root_s_and_readable_by_one_group_of_its_own(alfa):
    script = """
import grp, json, os, pwd
info = os.stat("/etc/odoo/odoo.conf")
mode = oct(info.st_mode & 0o777)
print(json.dumps([info.st_uid, mode, info.st_gid in os.getgroups()]))
"""
    assert alfa.run(script) == [0, "0o640", True]


STATUS = """
import json
def status(pid):
    lines = open(f"/proc/{pid}/status").read().splitlines()
    return dict(line.split(":", 1) for line in lines)
found = []
for pid in (1, "self"):
    values = status(pid)
    names = ("CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid")
    found.append({name: values[name].split()[0] for name in names})
print(json.dumps(found))
"""


def test_a_tenant_s_processes_have_no_privileges(alfa):
    for values in alfa.run(STATUS):
        for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
            assert int(values[name], 16) == 0, name
        assert values["NoNewPrivs"] == "1"
        assert values["Uid"] != "0"


def test_a_tenant_has_no_engine_and_nothing_of_this_machine(stack, alfa):
    script = """
import glob, json, os, stat
sockets = []
for folder in ("/run", "/var/run", "/tmp", "/var/lib/odoo", "/mnt"):
    for path in glob.glob(folder + "/**", recursive=True):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            sockets.append(path)
print(json.dumps(sockets))
"""
    assert alfa.run(script) == []
    attributes = alfa.container.attrs
    mounts = {mount["Destination"]: mount for mount in attributes["Mounts"]}
    assert {place: mount.get("Name") for place, mount in mounts.items()} == {
        "/var/lib/odoo": f"saas-{alfa.uid}-state",
        "/etc/odoo": f"saas-{alfa.uid}-config",
    }
    host = attributes["HostConfig"]
    assert not host["Binds"]
    assert not host["Privileged"]
    assert not host["Devices"]
    assert not host["PortBindings"]
    assert (host["PidMode"], host["UTSMode"], host["IpcMode"]) == ("", "", "private")
    assert host["NetworkMode"] == f"{stack.name}_tenants"


def test_a_tenant_has_the_limits_of_its_plan(master, plan, alfa):
    host = alfa.container.attrs["HostConfig"]
    memory = master.read("saas.plan", plan, "memory") * 1024 * 1024
    assert host["Memory"] == host["MemorySwap"] == memory
    assert host["PidsLimit"] == master.read("saas.plan", plan, "processes")
    assert host["NanoCpus"] == master.read("saas.plan", plan, "cpus") * 1e9


def test_too_many_processes_end_at_the_tenant_s_own_limit(master, plan, alfa):
    script = """
import json, threading, time
over = threading.Event()
count = 0
try:
    while count < 2000:
        threading.Thread(target=over.wait, daemon=True).start()
        count += 1
except RuntimeError:
    pass
over.set()
print(json.dumps(count))
"""
    assert alfa.run(script) < master.read("saas.plan", plan, "processes")
    assert requests.get(f"{alfa.url}/web/health", timeout=30).status_code == 200


def test_no_service_of_ours_has_more_rights_than_it_needs(stack):
    may = {
        "db": set(),
        "web": set(),
        "worker": set(),
        "proxy": {"NET_BIND_SERVICE"},
        "gateway": set(),
        "switch": set(),
        "firewall": {"NET_ADMIN", "NET_RAW"},
    }
    for service, capabilities in may.items():
        host = stack.container(service).attrs["HostConfig"]
        added = {name.removeprefix("CAP_") for name in host["CapAdd"] or ()}
        assert added == capabilities, service
        assert host["CapDrop"] == ["ALL"], service
        assert host["ReadonlyRootfs"], service
        assert not host["Privileged"], service


def test_the_worker_and_the_switch_alone_have_the_engine_s_socket(engine, stack):
    with_socket = {
        container.name
        for container in engine.containers.list(
            all=True, filters={"label": f"saas.stack={stack.name}"}
        )
        if any("docker.sock" in mount["Source"] for mount in container.attrs["Mounts"])
    }
    assert with_socket == {
        stack.container(service).name for service in ("worker", "switch")
    }
    script = """
import json, os
print(json.dumps(os.path.exists("/var/run/docker.sock")))
"""
    for service in ("web", "gateway"):
        assert run_python(stack.container(service), script) is False, service
