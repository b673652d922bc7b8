"""Builders of everything that is sent to the engine: plain values in, plain values out.

Nothing here talks to an engine, so that the whole hardening can be read and compared
in one place.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import ipaddress
import json
import re
import tarfile
from collections.abc import Mapping
from typing import Any

from odoo.addons.saas.engine.driver import (
    CONFIG_DIRECTORY,
    DATABASE_DIRECTORY,
    MASTER_DATABASES,
    SOURCE_DIRECTORY,
    STATE_DIRECTORY,
    DatabaseSpec,
    Limits,
    Room,
    Target,
    TaskSpec,
    TenantSpec,
)
from odoo.addons.saas.engine.errors import RefusedError, RetryableError

LABEL_STACK = "saas.stack"
LABEL_TENANT = "saas.tenant"
LABEL_KIND = "saas.kind"
LABEL_KEY = "saas.key"
LABEL_HOST = "saas.host"
LABEL_SPEC = "saas.spec"
LABEL_LIMITS = "saas.limits"

KIND_TENANT = "tenant"
KIND_TASK = "task"
KIND_STATE = "state"
KIND_CONFIG = "config"
KIND_DATABASE = "database"
KIND_DATA = "data"
KIND_SOCKET = "socket"
KIND_SHARED = "shared"
KIND_MEASURE = "measure"

RESTARTS = "unless-stopped"
"""What an engine starts again: whatever ended by itself, and with it."""

USER = "odoo"
"""Every image's unprivileged user, as in the official image."""

DATABASE_USER = "postgres"
DATA_DIRECTORY = "/var/lib/postgresql/data"
DATABASE_FILES = "/run/saas/db"
"""Where the image of a database server looks for passwords."""

FILES_GROUP = 20101
"""Group that may read ``CONFIG_DIRECTORY``. It exists in no image: the process gets it
as a supplementary group, so that it does not matter which id an image gave ``odoo``."""

HTTP_PORT = 8069
WEBSOCKET_PORT = 8072
"""Where websockets are taken by a process of their own, as in the official image."""

FIRST_ADDRESS = 16
"""Addresses below this one are for the gateway and for what an operator may add."""

MAX_SLOTS = 1000
"""A bridge carries 1,023 ports; the rest is for tasks."""

_UID = re.compile(r"[a-z][a-z0-9]{1,40}")
# What a database server beside a tenant is called no task can be.
_KEY = re.compile(r"(?!postgres$)[a-z][a-z0-9-]{0,30}")
_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,100}")
_PLACE = re.compile(r"/mnt/[a-z][a-z0-9-]{0,30}")
_FILE = re.compile(r"\.?[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")

# The memory is the host's in every container, and so is the disk below its root.
_MEASURE = "cat /proc/meminfo && df --block-size=1 --output=size,avail /"
_MEASURE_LIMITS = Limits(memory=64 * 2**20, cpus=0.5, processes=20)
_MEASURED = re.compile(
    r"^MemTotal:\s+(\d+) kB$.*^MemAvailable:\s+(\d+) kB$.*^\s*(\d+)\s+(\d+)$",
    re.MULTILINE | re.DOTALL,
)

_CHANGEABLE = ("Memory", "MemorySwap", "NanoCpus", "PidsLimit")

_TMPFS = "rw,noexec,nosuid,nodev,size=256m,mode=1777"
_LOG_CONFIG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


@dataclasses.dataclass(frozen=True, slots=True)
class DockerConfig:
    """Where an engine is and what our things on it are called.

    :param str url: ``unix:///var/run/docker.sock``, ``tcp://host:2376`` (with
        certificates) or ``ssh://user@host``
    :param str stack: name that marks what is ours on that engine
    :param str network: name of the isolated network
    :param str subnet: its addresses, e.g. ``172.28.0.0/20``
    :param str bridge: its interface on the host, at most 15 characters; firewall
        rules name it
    :param str toolbox: image that ``check`` expects on the engine; empty for none
    :param str databases: name of the volume in which the master finds the sockets of
        tenants' own database servers; empty where it cannot
    :param float timeout: seconds that one call may take
    :param str ca: PEM of who signed the engine's certificate
    :param str cert: PEM of our certificate
    :param str key: PEM of its private key
    """

    url: str
    stack: str
    network: str
    subnet: str
    bridge: str
    toolbox: str = ""
    databases: str = ""
    timeout: float = 30.0
    ca: str = dataclasses.field(default="", repr=False)
    cert: str = dataclasses.field(default="", repr=False)
    key: str = dataclasses.field(default="", repr=False)


# === NAMES AND LABELS === #


def container_name(uid: str) -> str:
    return f"saas-{_checked(_UID, uid, 'id of a tenant')}"


def state_volume(uid: str) -> str:
    return f"{container_name(uid)}-state"


def config_volume(uid: str) -> str:
    return f"{container_name(uid)}-config"


def database_name(uid: str) -> str:
    """Of a tenant's own database server, and of the volume with its data."""
    return f"{container_name(uid)}-postgres"


def database_config_volume(uid: str) -> str:
    return f"{database_name(uid)}-config"


def database_socket_volume(uid: str) -> str:
    return f"{database_name(uid)}-socket"


def task_name(uid: str, key: str) -> str:
    return f"{container_name(uid)}-{_checked(_KEY, key, 'key of a task')}"


def task_volume(uid: str, key: str) -> str:
    return f"{task_name(uid, key)}-config"


def make_labels(stack: str, uid: str, kind: str, **more: str) -> dict[str, str]:
    """Labels of one thing of ours; ``more`` is named without the prefix."""
    labels = {LABEL_STACK: stack, LABEL_TENANT: uid, LABEL_KIND: kind}
    return labels | {f"saas.{name}": value for name, value in more.items()}


def make_filters(stack: str, **more: str) -> dict[str, list[str]]:
    """Filters of a list call: what is ours and somebody's, not the stack's own."""
    labels = [f"{LABEL_STACK}={stack}", LABEL_TENANT]
    labels += [f"saas.{name}={value}" for name, value in more.items()]
    return {"label": labels}


# === NETWORK === #


def _network(subnet: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(subnet)
    except ValueError as error:
        raise RefusedError(
            f"{subnet!r} is no subnet ({error}); write it as 172.28.0.0/20.",
            reason="bad_subnet",
        ) from error


def address(subnet: str, slot: int) -> str:
    """The fixed address of a slot, from the lower half of the subnet.

    :raise RefusedError: ``no_room``
    """
    network = _network(subnet)
    room = min(network.num_addresses // 2 - FIRST_ADDRESS, MAX_SLOTS)
    if not 0 <= slot < room:
        raise RefusedError(
            f"The network {subnet} has room for {max(room, 0)} tenants and is full; "
            "add another server.",
            reason="no_room",
        )
    return str(network[FIRST_ADDRESS + slot])


def make_network(config: DockerConfig) -> dict[str, Any]:
    """Arguments of ``create_network``: tenants on it cannot reach one another.

    Dynamic addresses (tasks) come from the upper half, so they never take a slot's.
    """
    network = _network(config.subnet)
    upper = list(network.subnets(prefixlen_diff=1))[1]
    return {
        "name": config.network,
        "driver": "bridge",
        "check_duplicate": True,
        "labels": {LABEL_STACK: config.stack},
        "options": {
            "com.docker.network.bridge.name": config.bridge,
            "com.docker.network.bridge.enable_icc": "false",
        },
        "ipam": {
            "Driver": "default",
            "Config": [
                {
                    "Subnet": str(network),
                    "IPRange": str(upper),
                    "Gateway": str(network[1]),
                }
            ],
        },
    }


def network_fault(config: DockerConfig, found: Mapping[str, Any]) -> str:
    """What makes a network of ours unusable, as the end of a sentence; empty if fine.

    :param found: what the engine says of the network (inspection or list)
    """
    wanted = make_network(config)
    if found["Driver"] != wanted["driver"]:
        return f"is of kind {found['Driver']}, not bridge"
    options = found.get("Options") or {}
    icc, bridge = wanted["options"]
    if options.get(bridge) != "false":
        return "lets tenants reach one another"
    if options.get(icc) != config.bridge:
        return f"has the interface {options.get(icc)!r}, not {config.bridge!r}"
    subnets = [pool["Subnet"] for pool in found["IPAM"]["Config"] or ()]
    if subnets != [config.subnet]:
        return f"has the subnet {', '.join(subnets)}, not {config.subnet}"
    return ""


# === CONTAINERS AND VOLUMES === #


def make_volume(stack: str, uid: str, kind: str, name: str) -> dict[str, Any]:
    """Arguments of ``create_volume``."""
    return {"name": name, "labels": make_labels(stack, uid, kind)}


def make_shared_volume(stack: str, name: str) -> dict[str, Any]:
    """Arguments of ``create_volume`` for what is no tenant's own."""
    return {"name": name, "labels": {LABEL_STACK: stack, LABEL_KIND: KIND_SHARED}}


def make_tenant(config: DockerConfig, spec: TenantSpec) -> dict[str, Any]:
    """Body of ``create_container`` for a tenant."""
    mounts = [
        _make_mount(state_volume(spec.uid), STATE_DIRECTORY),
        _make_mount(config_volume(spec.uid), CONFIG_DIRECTORY, copy=False),
    ]
    if spec.database:
        mounts.append(_make_socket_mount(spec.database.uid))
    body = _make_container(
        image=spec.image,
        environment=spec.environment,
        limits=spec.limits,
        mounts=mounts,
        network=config.network,
    )
    # The hostname is not the host: a new host name must not replace the container.
    body["Hostname"] = spec.uid
    body["HostConfig"]["RestartPolicy"] = {"Name": RESTARTS}
    body["NetworkingConfig"] = {
        "EndpointsConfig": {
            config.network: {
                "IPAMConfig": {"IPv4Address": address(config.subnet, spec.slot)}
            }
        }
    }
    body["Labels"] = make_labels(
        config.stack,
        spec.uid,
        KIND_TENANT,
        host=spec.host,
        spec=_digest(body, spec.files),
        limits=limits_text(body["HostConfig"]),
    )
    return body


def make_database(config: DockerConfig, spec: DatabaseSpec) -> dict[str, Any]:
    """Body of ``create_container`` for a database server beside a tenant."""
    body = _make_container(
        image=spec.image,
        environment={
            # For the tools in its own container, the health check among them.
            "PGPORT": str(spec.port),
            "SAAS_DB_MAX_CONNECTIONS": str(spec.connections),
            "SAAS_DB_SHARED_BUFFERS": f"{spec.limits.memory // 4 // 2**20}MB",
            "SAAS_DB_SOCKETS": f"{DATABASE_DIRECTORY},{MASTER_DATABASES}",
        },
        limits=spec.limits,
        mounts=[
            _make_mount(database_name(spec.uid), DATA_DIRECTORY),
            _make_mount(database_config_volume(spec.uid), DATABASE_FILES, copy=False),
            _make_mount(database_socket_volume(spec.uid), DATABASE_DIRECTORY),
            _make_mount(config.databases, MASTER_DATABASES, copy=False),
        ],
        # Nobody reaches it but by those sockets, and it reaches nobody.
        network="none",
        user=DATABASE_USER,
    )
    host = body["HostConfig"]
    host["Tmpfs"]["/var/run/postgresql"] = "rw,noexec,nosuid,nodev,size=1m,mode=1777"
    # Part of the memory that it may use.
    host["ShmSize"] = spec.limits.memory // 4
    host["RestartPolicy"] = {"Name": RESTARTS}
    body["Hostname"] = f"{spec.uid}-postgres"
    digest = _digest(body, spec.files)
    body["Labels"] = make_labels(config.stack, spec.uid, KIND_DATABASE, spec=digest)
    return body


def read_limits(host: Mapping[str, Any]) -> dict[str, Any]:
    """What can be changed of a container while it runs, and was asked for.

    :param host: ``HostConfig`` of a body or of an inspection
    """
    limits = {name: host[name] for name in _CHANGEABLE}
    return limits | {"RestartPolicy": {"Name": host["RestartPolicy"]["Name"]}}


def limits_text(host: Mapping[str, Any]) -> str:
    """The same as a label tells it."""
    return json.dumps(read_limits(host), sort_keys=True)


def make_task(config: DockerConfig, uid: str, task: TaskSpec) -> dict[str, Any]:
    """Body of ``create_container`` for a task."""
    mounts = [
        _make_mount(state_volume(uid), STATE_DIRECTORY),
        _make_mount(task_volume(uid, task.key), CONFIG_DIRECTORY, copy=False),
    ]
    if task.source:
        source = _make_mount(state_volume(task.source), SOURCE_DIRECTORY, copy=False)
        mounts.append(source | {"ReadOnly": True})
    if task.database:
        mounts.append(_make_socket_mount(task.database))
    for name, place in sorted(task.volumes.items()):
        # Filled from the image when it is new, so that it belongs to the image's user.
        place = _checked(_PLACE, place, "place of a volume")
        mounts.append(_make_mount(_checked(_VOLUME, name, "name of a volume"), place))
    body = _make_container(
        image=task.image,
        environment={},
        limits=task.limits,
        mounts=mounts,
        network=config.network if task.network else "none",
    )
    body["Cmd"] = list(task.command)
    body["Hostname"] = task.key
    body["HostConfig"]["RestartPolicy"] = {"Name": "no"}
    # A task has nothing to serve, so the image's check would only cost.
    body["Healthcheck"] = {"Test": ["NONE"]}
    body["Labels"] = make_labels(config.stack, uid, KIND_TASK, key=task.key)
    return body


def make_measure(config: DockerConfig) -> dict[str, Any]:
    """Body of ``create_container`` for a look at memory and disk."""
    body = _make_container(
        image=config.toolbox,
        environment={},
        limits=_MEASURE_LIMITS,
        mounts=[],
        network="none",
    )
    body["Cmd"] = ["sh", "-c", _MEASURE]
    body["Healthcheck"] = {"Test": ["NONE"]}
    body["Labels"] = {LABEL_STACK: config.stack, LABEL_KIND: KIND_MEASURE}
    return body


def read_room(text: str) -> Room:
    """What a look at memory and disk has written.

    :raise RetryableError: ``unreadable``
    """
    found = _MEASURED.search(text)
    if found is None:
        raise RetryableError(
            f"Memory and disk could not be measured ({text.strip()[:200]}).",
            reason="unreadable",
        )
    memory, memory_free, disk, disk_free = map(int, found.groups())
    return Room(memory * 1024, memory_free * 1024, disk, disk_free)


def _make_container(
    *,
    image: str,
    environment: Mapping[str, str],
    limits: Limits,
    mounts: list[dict[str, Any]],
    network: str,
    user: str = USER,
) -> dict[str, Any]:
    return {
        "Image": image,
        "User": user,
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
        "HostConfig": {
            "Init": True,
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": _TMPFS},  # noqa: S108 (the container's own)
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "GroupAdd": [str(FILES_GROUP)],
            "Privileged": False,
            "PublishAllPorts": False,
            "IpcMode": "private",
            "Memory": limits.memory,
            # The same as the memory: no swap on top of it.
            "MemorySwap": limits.memory,
            "NanoCpus": round(limits.cpus * 1e9),
            "PidsLimit": limits.processes,
            "LogConfig": _LOG_CONFIG,
            "Mounts": mounts,
            "NetworkMode": network,
        },
    }


def _make_mount(volume: str, target: str, *, copy: bool = True) -> dict[str, Any]:
    """A named volume; ``copy`` fills an empty one with what the image has there.

    The state needs it (the directory must belong to the image's user), the files of
    a spec must not have it.
    """
    return {
        "Type": "volume",
        "Source": volume,
        "Target": target,
        "ReadOnly": False,
        "VolumeOptions": {"NoCopy": not copy},
    }


def _make_socket_mount(uid: str) -> dict[str, Any]:
    """Where the socket of that tenant's own database server is, to use it only."""
    socket = _make_mount(database_socket_volume(uid), DATABASE_DIRECTORY, copy=False)
    return socket | {"ReadOnly": True}


def target(config: DockerConfig, spec: TenantSpec) -> Target:
    host = f"http://{address(config.subnet, spec.slot)}"
    port = WEBSOCKET_PORT if spec.evented else HTTP_PORT
    return Target(http=f"{host}:{HTTP_PORT}", websocket=f"{host}:{port}")


# === FILES === #


def make_archive(files: Mapping[str, bytes], *, mode: int = 0o640) -> bytes:
    """A tar archive of files that root owns and ``FILES_GROUP`` may read."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(_checked(_FILE, name, "name of a file"))
            member.size = len(content)
            member.mode = mode
            member.uid, member.gid = 0, FILES_GROUP
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _digest(body: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """A hash of all that a container is made from, labels excepted."""
    contents = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    text = json.dumps([body, contents], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise RefusedError(f"{text!r} cannot be the {what}.", reason="bad_name")
    return text
