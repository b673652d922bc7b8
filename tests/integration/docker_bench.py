"""A Docker engine to test on: a stack of its own, removed before and after."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile
import time

from docker import APIClient
from docker.errors import APIError, NotFound
from driver_contract import Bench

from odoo.addons.saas.engine.driver import CONFIG_DIRECTORY, STATE_DIRECTORY, TaskSpec
from odoo.addons.saas_docker.engine import objects
from odoo.addons.saas_docker.engine.client import find
from odoo.addons.saas_docker.engine.driver import DockerDriver
from odoo.addons.saas_docker.engine.objects import DockerConfig

SOCKET = "unix:///var/run/docker.sock"
STACK = "saas-itest"
NETWORK = f"{STACK}_tenants"
SUBNET = "172.28.160.0/20"
BRIDGE = "saasitest0"
IMAGE = f"{STACK}:1"
IMAGE_CHECKED = f"{STACK}:checked"
IMAGE_WITHOUT_USER = f"{STACK}:nouser"
FOREIGN = f"{STACK}.foreign"
LABELS = (f"{objects.LABEL_STACK}={STACK}", FOREIGN)

DATABASES = f"{STACK}-databases"

CONFIG = DockerConfig(
    url=SOCKET,
    stack=STACK,
    network=NETWORK,
    subnet=SUBNET,
    bridge=BRIDGE,
    toolbox=IMAGE,
    databases=DATABASES,
)

# What the driver needs of an image, without an Odoo in it.
_DOCKERFILE = """
FROM debian:trixie-slim
LABEL saas.image=1
RUN groupadd --gid 4711 odoo \\
 && useradd --uid 4711 --gid odoo --home-dir /var/lib/odoo odoo \\
 && mkdir -p /etc/odoo /var/lib/odoo /mnt/source /mnt/extra-addons \\
    /mnt/store \\
 && chown odoo:odoo /etc/odoo /var/lib/odoo /mnt/store \\
 && useradd --uid 4712 postgres \\
 && mkdir -p /var/lib/postgresql/data /run/saas/postgres \\
 && chown postgres:postgres /var/lib/postgresql/data /run/saas/postgres
VOLUME ["/var/lib/odoo", "/mnt/extra-addons"]
USER odoo
CMD ["sleep", "infinity"]
"""
_DOCKERFILE_CHECKED = f"""
FROM {IMAGE}
HEALTHCHECK --interval=200ms --retries=1 --start-period=1ms \\
    CMD test -e /var/lib/odoo/healthy
"""
_DOCKERFILE_WITHOUT_USER = """
FROM debian:trixie-slim
LABEL saas.image=1
CMD ["sleep", "infinity"]
"""


def build_images(api: APIClient) -> None:
    build(api, IMAGE, _DOCKERFILE)
    build(api, IMAGE_CHECKED, _DOCKERFILE_CHECKED)
    build(api, IMAGE_WITHOUT_USER, _DOCKERFILE_WITHOUT_USER)


def build(api: APIClient, tag: str, dockerfile: str) -> None:
    content = io.BytesIO(dockerfile.encode())
    lines = list(api.build(fileobj=content, tag=tag, rm=True, decode=True))
    assert "error" not in lines[-1], lines[-1]


def remove_images(api: APIClient) -> None:
    for tag in (IMAGE_CHECKED, IMAGE_WITHOUT_USER, IMAGE):
        find(api.remove_image, tag, force=True)


def clean(api: APIClient) -> None:
    """Remove what this or a killed run made; images stay."""
    empty(api)
    for label in LABELS:
        for row in api.networks(filters={"label": [label]}):
            find(api.remove_network, row["Id"])


def empty(api: APIClient) -> None:
    """Remove what is on the server, and leave it prepared."""
    for label in LABELS:
        filters = {"label": [label]}
        _remove_containers(api, filters)
        for row in api.volumes(filters=filters)["Volumes"] or ():
            find(api.remove_volume, row["Name"])


def _remove_containers(api: APIClient, filters: dict[str, list[str]]) -> None:
    """Remove containers, and wait for those that are being removed already."""
    until = time.monotonic() + 30
    while rows := api.containers(all=True, filters=filters):
        assert time.monotonic() < until, rows
        for row in rows:
            try:
                find(api.remove_container, row["Id"], force=True, v=True)
            except APIError as error:
                if error.status_code != 409:
                    raise
                time.sleep(0.2)


class DockerBench(Bench):
    image = IMAGE
    missing_image = f"{STACK}:missing"

    def __init__(self, api: APIClient) -> None:
        self.api = api
        api.create_volume(name=DATABASES, labels={FOREIGN: "1"})
        self.driver = DockerDriver(CONFIG)

    def unreachable(self):
        return DockerDriver(dataclasses.replace(CONFIG, url="unix:///run/no.sock"))

    def put_foreign_container(self, uid):
        self.put_container(f"saas-{uid}", {FOREIGN: "1"})
        self.api.start(f"saas-{uid}")

    def put_container(self, name, labels, **host):
        """A container made past the driver."""
        body = {"Image": IMAGE, "Labels": labels, "HostConfig": {"Init": True, **host}}
        return self.api.create_container_from_config(body, name=name)["Id"]

    def put_foreign_state(self, uid):
        self.api.create_volume(name=f"saas-{uid}-state", labels={FOREIGN: "1"})

    def foreign_is_untouched(self, uid):
        container = find(self.api.inspect_container, f"saas-{uid}")
        if container:
            labels, running = container["Config"]["Labels"], container["State"]
            return FOREIGN in labels and running["Status"] == "running"
        volume = find(self.api.inspect_volume, f"saas-{uid}-state")
        return bool(volume and FOREIGN in volume["Labels"])

    def containers(self, uid):
        rows = self.api.containers(all=True, filters={"name": [f"saas-{uid}"]})
        return [row["Names"][0] for row in rows]

    def start_of(self, uid):
        found = self.inspect(uid)
        return f"{found['Id']} {found['State']['StartedAt']}"

    def change_limits(self, uid):
        memory = self.limits.memory // 2
        self.api.update_container(f"saas-{uid}", mem_limit=memory, memswap_limit=memory)

    def write_state(self, uid, name, content):
        self.api.put_archive(
            f"saas-{uid}", STATE_DIRECTORY, objects.make_archive({name: content})
        )

    def read_state(self, uid, name):
        return self._read(uid, f"{STATE_DIRECTORY}/{name}")

    def read_file(self, uid, name):
        path = f"{CONFIG_DIRECTORY}/{name}"
        if self._read(uid, path) is None:
            return None
        # As the tenant's own user, who has to be able to.
        code, output = self.run_inside(uid, "cat", path)
        assert code == 0, output
        return output.encode()

    def _read(self, uid, path):
        try:
            chunks, __ = self.api.get_archive(f"saas-{uid}", path)
        except NotFound:
            return None
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            return archive.extractfile(archive.next()).read()

    def run_inside(self, uid, *command, key=""):
        """Exit code and output of a command in the tenant's container or task."""
        name = f"saas-{uid}-{key}" if key else f"saas-{uid}"
        run = self.api.exec_create(name, list(command))
        output = self.api.exec_start(run["Id"]).decode()
        return self.api.exec_inspect(run["Id"])["ExitCode"], output

    def inspect(self, uid, key=""):
        name = f"saas-{uid}-{key}" if key else f"saas-{uid}"
        return self.api.inspect_container(name)

    def inspection(self, uid):
        filters = objects.make_filters(STACK, tenant=uid)
        rows = self.api.containers(all=True, filters=filters)
        shown = [self.api.inspect_container(row["Id"]) for row in rows]
        shown += [self.api.top(row["Id"], "-o pid,args") for row in rows]
        volumes = self.api.volumes(filters=filters)["Volumes"]
        shown += [self.api.inspect_volume(row["Name"]) for row in volumes]
        return json.dumps(shown, sort_keys=True)

    def without_databases(self):
        return DockerDriver(dataclasses.replace(CONFIG, databases=""))

    def put_foreign_database(self, uid):
        name = objects.database_name(uid)
        self.put_container(name, {FOREIGN: "1"})
        self.api.start(name)

    def start_of_database(self, uid):
        found = find(self.api.inspect_container, objects.database_name(uid))
        if not found or found["State"]["Status"] != "running":
            return ""
        return f"{found['Id']} {found['State']['StartedAt']}"

    def lose_database(self, uid):
        self.api.remove_container(objects.database_name(uid), force=True)

    def write_data(self, uid, name):
        code, output = self.run_inside(
            uid, "touch", f"{objects.DATA_DIRECTORY}/{name}", key="postgres"
        )
        assert code == 0, output

    def has_data(self, uid, name):
        path = f"{objects.DATA_DIRECTORY}/{name}"
        return self.run_inside(uid, "test", "-e", path, key="postgres")[0] == 0

    def state_volume(self, uid):
        return objects.state_volume(uid)

    def shared_volumes(self):
        label = f"{objects.LABEL_KIND}={objects.KIND_SHARED}"
        filters = {"label": [f"{objects.LABEL_STACK}={STACK}", label]}
        return {
            row["Name"] for row in self.api.volumes(filters=filters)["Volumes"] or ()
        }

    def everything(self):
        filters = {"label": [f"{objects.LABEL_STACK}={STACK}"]}
        rows = self.api.containers(all=True, filters=filters)
        volumes = self.api.volumes(filters=filters)["Volumes"] or ()
        return sorted(
            [row["Names"][0] for row in rows] + [row["Name"] for row in volumes]
        )

    def task(self, key, exit_code=0, **more):
        command = ("sleep", "infinity")
        if exit_code is not None:
            command = ("sh", "-c", f"exit {exit_code}")
        values = {"key": key, "image": IMAGE, "command": command} | more
        return TaskSpec(**values, limits=self.limits)
