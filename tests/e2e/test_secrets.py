"""Secrets, real ones and planted ones, are where they belong and nowhere else."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import time

import pytest
import requests

from odoo.addons.saas.engine import sealing

from .processes import watching
from .residents import look_up, run_python
from .web import Session, operator

OWN_CONFIG = """
import configparser, json
config = configparser.RawConfigParser()
config.read("/etc/odoo/odoo.conf")
print(json.dumps(dict(config["options"])))
"""


@dataclasses.dataclass(frozen=True)
class Story:
    """What was entered and made, and what is written where since then."""

    secrets: dict[str, str] = dataclasses.field(repr=False)
    sealed: dict[str, str] = dataclasses.field(repr=False)
    places: dict[str, str] = dataclasses.field(repr=False)

    def found_in(self, place):
        """Names of the secrets that are there, never the secrets themselves."""
        text = self.places[place]
        return sorted(name for name, secret in self.secrets.items() if secret in text)


@pytest.fixture(scope="module")
def story(engine, master, stack, plan, names):
    """People log in, provision, enter credentials that do not work, and fail."""
    password = os.environ["SAAS_ADMIN_PASSWORD"]
    known = {"password of the administrator": password}
    with contextlib.ExitStack() as after:
        with watching(engine, stack.name) as watch:
            planted, sealed = plant(master, stack, after)
            known |= planted
            session = Session(os.environ["SAAS_URL"]).log_in("admin", password)
            known["API key"] = session.make_api_key(password)
            uid, link = live(master, stack, plan, names, after)
            known["login token"] = link.rpartition("token=")[2]
            known |= read_keys(stack)
            known |= read_tenant(stack, uid, known["private key for sealing"])
            places = look_everywhere(engine, stack)
        places["process list"] = watch.text
        yield Story(known, sealed, places)


def plant(master, stack, after):
    """Enter credentials of servers that do not work.

    :return: the secrets, and what is stored of them
    """
    body = secrets.token_urlsafe(48)
    key = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    planted = {
        "private key of a server": body,
        "password of a database server": secrets.token_urlsafe(24),
    }
    values = {
        "saas.server": {"docker_key": key, "docker_url": "tcp://127.0.0.1:9"},
        "saas.database.server": {"password": planted["password of a database server"]},
    }
    sealed = {}
    for (model, entered), field, name in zip(
        values.items(), ("docker_key_sealed", "password_sealed"), planted, strict=True
    ):
        [first, *_] = master.search(model, [])
        [record] = master.call(model, "copy", [first], {"name": "Planted"})
        after.callback(master.call, model, "unlink", record)
        master.call(model, "write", record, {**entered, "active": False})
        assert fail_check(master, model, record)
        table = model.replace(".", "_")
        sealed[name] = "\n".join(
            stack.sql(f"SELECT {field} FROM {table} WHERE id = {record}", "master")
        )
    return planted, sealed


def fail_check(master, model, record, seconds=60):
    """Test a connection that cannot work; what is said about it."""
    master.call(model, "action_check", record)
    until = time.monotonic() + seconds
    while master.read(model, record, "check_state") in ("unknown", "checking"):
        assert time.monotonic() < until, "nothing came of the test"
        time.sleep(0.2)
    assert master.read(model, record, "check_state") == "failed"
    return master.read(model, record, "check_message")


def live(master, stack, plan, names, after):
    """A tenant is provisioned and logged in to, another one cannot be.

    :return: uid of the first, and the link that was used
    """
    missing = f"no-image:{secrets.token_hex(4)}"
    image = master.create(
        "saas.image", {"name": "None", "sequence": 1000, "reference": missing}
    )
    tenants = []
    for values in ({}, {"image_id": image}):
        name = next(names)
        partner = {"name": name, "email": f"{name}@example.com"}
        partner = master.create("res.partner", partner)
        values |= {"name": name, "partner_id": partner, "plan_id": plan}
        tenants.append(master.create("saas.tenant", values))
        after.callback(master.run, tenants[-1], "action_delete", True)
    [running, failing] = tenants
    master.provision(running)
    state, message = master.run(failing, "action_provision")
    assert (state, missing in message) == ("refused", True)
    master.settle(failing)
    link = master.call("saas.tenant", "get_login_url", running)
    assert requests.get(link, timeout=30).status_code == 200
    assert requests.get(link, timeout=30).status_code == 403
    return look_up(master, stack, running).uid, link


def read_file(container, path):
    result = container.exec_run(["cat", path])
    assert result.exit_code == 0, result.output
    return result.output.decode().strip()


def read_keys(stack):
    """The secrets of the stack, each from who may have it."""
    [db, web, worker] = map(stack.container, ("db", "web", "worker"))
    login_key = read_file(web, "/run/saas/web/login_key")
    certificate_key = read_file(worker, "/run/saas/worker/certificate_key")
    return {
        "private key for sealing": read_file(
            worker, "/run/saas/worker/sealing_private"
        ),
        "password of saas_provisioner": read_file(db, "/run/saas/db/saas_provisioner"),
        "password of saas_master": read_file(db, "/run/saas/db/saas_master"),
        "private key for logins": max(login_key.splitlines(), key=len),
        "private key for certificates": max(certificate_key.splitlines(), key=len),
    }


def read_tenant(stack, uid, private_key):
    """The secrets of a tenant: two are derived from the one that is stored."""
    [sealed] = stack.sql(
        f"SELECT data_key_sealed FROM saas_tenant WHERE uid = '{uid}'", "master"
    )
    data_key = sealing.unseal(private_key, sealed)
    options = run_python(stack.tenant_container(uid), OWN_CONFIG)
    found = {
        "data key of a tenant": data_key,
        "database password of a tenant": sealing.derive(data_key, "database"),
        "master password of a tenant": sealing.derive(data_key, "admin"),
    }
    assert options["db_password"] == found["database password of a tenant"]
    assert options["admin_passwd"] not in found.values()
    return found


def look_everywhere(engine, stack):
    """Everything that somebody reads who is not meant to know a secret."""
    ours = {"label": f"saas.stack={stack.name}"}
    containers = engine.containers.list(all=True, filters=ours, ignore_removed=True)
    images = engine.images.list(filters={"label": "saas.image=1"})
    inspected = [
        *containers,
        *images,
        *engine.volumes.list(filters=ours),
        *engine.networks.list(filters=ours),
    ]
    history = [image.history() for image in images]
    dump = stack.container("db").exec_run(["pg_dump", "master"], user="postgres")
    assert dump.exit_code == 0, dump.output[-500:]
    return {
        "dump of the master": dump.output.decode(),
        "job queue": "\n".join(
            stack.sql("SELECT row_to_json(queue_job)::text FROM queue_job", "master")
        ),
        "docker inspect": json.dumps([[item.attrs for item in inspected], history]),
        "logs": "\n".join(c.logs().decode(errors="replace") for c in containers),
    }


SECRETS = [
    "API key",
    "data key of a tenant",
    "database password of a tenant",
    "login token",
    "master password of a tenant",
    "password of a database server",
    "password of saas_master",
    "password of saas_provisioner",
    "password of the administrator",
    "private key for certificates",
    "private key for logins",
    "private key for sealing",
    "private key of a server",
]


def test_there_are_secrets_to_look_for(story):
    assert sorted(story.secrets) == SECRETS
    assert min(map(len, story.secrets.values())) >= 20
    assert len(set(story.secrets.values())) == len(SECRETS)


@pytest.mark.parametrize(
    ("place", "landmark"),
    [
        # Something that is there for certain, or the place was not looked at.
        ("dump of the master", "COPY public.saas_tenant "),
        ("job queue", "saas.operation"),
        ("docker inspect", '"com.docker.compose.service": "worker"'),
        ("logs", "Login link used"),
        ("process list", "--max-cron-threads=0"),
    ],
)
def test_no_secret_is_in(story, place, landmark):
    assert landmark in story.places[place]
    assert story.found_in(place) == []


def test_environments_were_among_what_was_looked_at(story):
    assert "ODOO_QUEUE_JOB_CHANNELS=root:0" in story.places["process list"]


def test_what_was_entered_is_stored_sealed_and_opens_with_the_worker_s_key(story):
    for name, text in story.sealed.items():
        assert text in story.places["dump of the master"]
        opened = sealing.unseal(story.secrets["private key for sealing"], text)
        assert story.secrets[name] in opened


def test_what_was_entered_cannot_be_read_by_anybody(master):
    for model, field in (
        ("saas.server", "docker_key"),
        ("saas.database.server", "password"),
    ):
        for record in master.search(model, []):
            assert master.read(model, record, field) is False


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("saas.tenant", "data_key_sealed"),
        ("saas.server", "docker_key_sealed"),
        ("saas.server", "docker_key"),
        ("saas.database.server", "password_sealed"),
        ("saas.database.server", "password"),
    ],
)
def test_an_operator_does_not_even_read_what_is_sealed(master, model, field):
    with operator(master) as (login, password):
        session = Session(os.environ["SAAS_URL"]).log_in(login, password)
        [record, *_] = session.call(model, "search", [])
        assert session.call(model, "read", [record], ["display_name"])
        with pytest.raises(AssertionError, match="access"):
            session.call(model, "read", [record], [field])


# === WEB AND WORKER === #


def test_web_has_no_engine_and_no_key_of_the_worker(stack):
    web, worker = stack.container("web"), stack.container("worker")
    script = """
import json, os
places = ("/var/run/docker.sock", "/run/docker.sock", "/run/saas/worker",
          "/var/lib/saas/routes", "/run/saas/db")
def look(path):
    return os.listdir(path) if os.path.isdir(path) else os.path.exists(path)
print(json.dumps({path: look(path) or None for path in places}))
"""
    assert set(run_python(web, script).values()) == {None}
    found = run_python(worker, script)
    assert found["/var/run/docker.sock"]
    assert sorted(found["/run/saas/worker"]) == [
        "certificate_key",
        "provisioner_password",
        "sealing_private",
    ]
    assert found["/run/saas/db"] is None
    mounts = {mount["Destination"] for mount in web.attrs["Mounts"]}
    assert mounts == {"/var/lib/odoo", "/run/saas/web"}


def test_web_cannot_open_what_it_sealed(stack):
    script = """
import json, pathlib, sys
sys.path[:0] = ["/opt/saas/addons/saas/engine"]
import importlib.util, types
package = types.ModuleType("engine")
package.__path__ = ["/opt/saas/addons/saas/engine"]
sys.modules["engine"] = package
from engine import sealing
from engine.errors import RefusedError
def read(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""
sealed = sealing.seal(read("/run/saas/web/sealing_public"), "a secret")
try:
    opened = sealing.unseal(read("/run/saas/worker/sealing_private"), sealed)
except RefusedError as error:
    opened = error.reason
print(json.dumps(opened))
"""
    assert run_python(stack.container("web"), script) == "key_missing"
    assert run_python(stack.container("worker"), script) == "a secret"


def test_web_runs_no_jobs_and_no_scheduled_actions(stack):
    web, worker = stack.container("web"), stack.container("worker")
    assert "--max-cron-threads=0" in web.attrs["Config"]["Cmd"]
    assert b"starting jobrunner" not in web.logs()
    assert b"starting jobrunner" in worker.logs()
    # Who runs jobs holds a lock as long as it lives.
    runners = stack.sql(
        "SELECT DISTINCT host(client_addr) FROM pg_locks JOIN pg_stat_activity"
        " USING (pid) WHERE locktype = 'advisory' AND datname = 'master'"
    )
    assert runners == [os.environ["SAAS_WORKER_ADDRESS"]]


def test_web_s_role_is_no_more_than_the_owner_of_the_master(stack):
    script = """
import json, psycopg2
def look(name, user="saas_master"):
    try:
        psycopg2.connect(host="db", dbname=name, user=user).close()
    except psycopg2.OperationalError as error:
        return str(error)
    return "open"
print(json.dumps([look("master"), look("postgres"), look("template1"),
                  look("postgres", "saas_provisioner")]))
"""
    found = run_python(stack.container("web"), script)
    assert found[0] == "open"
    for message in found[1:3]:
        assert "permission denied for database" in message
    assert "no password supplied" in found[3]
