"""What is sent to a Docker engine, as whole values."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile

import pytest

from odoo.addons.saas.engine.driver import (
    DatabaseSpec,
    Limits,
    Room,
    Target,
    TaskSpec,
    TenantSpec,
)
from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas_docker.engine import objects
from odoo.addons.saas_docker.engine.objects import DockerConfig

UID = "t0000000000a1"
TEMPLATE = "tpl00000000c3"
CONFIG = DockerConfig(
    url="unix:///var/run/docker.sock",
    stack="saas",
    network="saas_tenants",
    subnet="172.28.0.0/20",
    bridge="saas0",
)
LIMITS = Limits(memory=512 * 2**20, cpus=1.5, processes=120)
SPEC = TenantSpec(
    uid=UID,
    image="saas-odoo:19.0",
    slot=3,
    host="alfa.odoo.localhost",
    limits=LIMITS,
    files={"odoo.conf": b"db_password = secret"},
    environment={"TZ": "UTC", "LANG": "C.UTF-8"},
)
HARDENED = {
    "Init": True,
    "ReadonlyRootfs": True,
    "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=256m,mode=1777"},
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
    "GroupAdd": ["20101"],
    "Privileged": False,
    "PublishAllPorts": False,
    "IpcMode": "private",
    "Memory": 536870912,
    "MemorySwap": 536870912,
    "NanoCpus": 1500000000,
    "PidsLimit": 120,
    "LogConfig": {
        "Type": "json-file",
        "Config": {"max-size": "10m", "max-file": "3"},
    },
}


def _volume(name, target, *, copy=False, read_only=False):
    return {
        "Type": "volume",
        "Source": name,
        "Target": target,
        "ReadOnly": read_only,
        "VolumeOptions": {"NoCopy": not copy},
    }


# === CONTAINERS === #


def test_a_tenants_container_is_hardened_and_holds_no_secret():
    body = objects.make_tenant(CONFIG, SPEC)
    spec_hash = body["Labels"].pop("saas.spec")
    limits = json.loads(body["Labels"].pop("saas.limits"))
    assert limits == {
        "RestartPolicy": {"Name": "unless-stopped"},
        **{
            name: HARDENED[name]
            for name in ("Memory", "MemorySwap", "NanoCpus", "PidsLimit")
        },
    }
    assert body == {
        "Image": "saas-odoo:19.0",
        "User": "odoo",
        "Hostname": UID,
        "Env": ["LANG=C.UTF-8", "TZ=UTC"],
        "HostConfig": HARDENED
        | {
            "RestartPolicy": {"Name": "unless-stopped"},
            "NetworkMode": "saas_tenants",
            "Mounts": [
                _volume(f"saas-{UID}-state", "/var/lib/odoo", copy=True),
                _volume(f"saas-{UID}-config", "/etc/odoo"),
            ],
        },
        "NetworkingConfig": {
            "EndpointsConfig": {
                "saas_tenants": {"IPAMConfig": {"IPv4Address": "172.28.0.19"}}
            }
        },
        "Labels": {
            "saas.stack": "saas",
            "saas.tenant": UID,
            "saas.kind": "tenant",
            "saas.host": "alfa.odoo.localhost",
        },
    }
    assert len(spec_hash) == 32


def test_a_tasks_container_is_hardened_and_reads_its_source():
    task = TaskSpec(
        key="seed",
        image="saas-toolbox",
        command=("saas-seed", TEMPLATE, UID),
        limits=LIMITS,
        files={"task.conf": b"secret"},
        source=TEMPLATE,
    )
    assert objects.make_task(CONFIG, UID, task) == {
        "Image": "saas-toolbox",
        "User": "odoo",
        "Hostname": "seed",
        "Cmd": ["saas-seed", TEMPLATE, UID],
        "Env": [],
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": HARDENED
        | {
            "RestartPolicy": {"Name": "no"},
            "NetworkMode": "none",
            "Mounts": [
                _volume(f"saas-{UID}-state", "/var/lib/odoo", copy=True),
                _volume(f"saas-{UID}-seed-config", "/etc/odoo"),
                _volume(f"saas-{TEMPLATE}-state", "/mnt/source", read_only=True),
            ],
        },
        "Labels": {
            "saas.stack": "saas",
            "saas.tenant": UID,
            "saas.kind": "task",
            "saas.key": "seed",
        },
    }


def test_a_volume_of_a_task_is_filled_from_the_image_and_lies_below_mnt():
    task = TaskSpec(
        "backup", "i", ("true",), LIMITS, volumes={"saas-copies": "/mnt/store"}
    )
    mounts = objects.make_task(CONFIG, UID, task)["HostConfig"]["Mounts"]
    assert mounts[2:] == [_volume("saas-copies", "/mnt/store", copy=True)]
    assert objects.make_shared_volume("saas", "saas-copies") == {
        "name": "saas-copies",
        "labels": {"saas.stack": "saas", "saas.kind": "shared"},
    }


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("/var/lib", "/mnt/store"),
        ("../x", "/mnt/store"),
        ("copies", "/etc"),
        ("copies", "/mnt/../etc"),
        ("copies", "/mnt/"),
    ],
)
def test_a_path_of_the_host_is_no_volume(name, place):
    task = TaskSpec("backup", "i", ("true",), LIMITS, volumes={name: place})
    with pytest.raises(RefusedError) as failure:
        objects.make_task(CONFIG, UID, task)
    assert failure.value.reason == "bad_name"


def test_a_task_joins_the_network_only_when_it_asks_for_it():
    task = TaskSpec("init", "saas-odoo:19.0", ("saas-init",), LIMITS, network=True)
    body = objects.make_task(CONFIG, UID, task)
    assert body["HostConfig"]["NetworkMode"] == "saas_tenants"
    assert "NetworkingConfig" not in body


def test_the_hash_is_the_same_whatever_the_order_of_the_values():
    turned = dataclasses.replace(
        SPEC, environment=dict(reversed(SPEC.environment.items()))
    )
    assert objects.make_tenant(CONFIG, turned) == objects.make_tenant(CONFIG, SPEC)


def test_the_hash_changes_with_the_network_but_not_with_the_host_name():
    def spec_hash(config=CONFIG, **change):
        spec = dataclasses.replace(SPEC, **change)
        return objects.make_tenant(config, spec)["Labels"]["saas.spec"]

    moved = dataclasses.replace(CONFIG, network="other")
    assert spec_hash(moved) != spec_hash()
    assert spec_hash(host="beta.odoo.localhost") == spec_hash()
    assert spec_hash(files={"odoo.conf": b"other"}) != spec_hash()


def test_the_configuration_does_not_show_its_certificates():
    config = dataclasses.replace(CONFIG, ca="AUTHORITY", cert="OURS", key="PRIVATE")
    for secret in ("AUTHORITY", "OURS", "PRIVATE"):
        assert secret not in repr(config)


# === VOLUMES, NETWORK, ADDRESSES === #


def test_a_volume_carries_whose_it_is():
    assert objects.make_volume("saas", UID, "state", f"saas-{UID}-state") == {
        "name": f"saas-{UID}-state",
        "labels": {"saas.stack": "saas", "saas.tenant": UID, "saas.kind": "state"},
    }


def test_the_network_isolates_and_keeps_slots_and_tasks_apart():
    assert objects.make_network(CONFIG) == {
        "name": "saas_tenants",
        "driver": "bridge",
        "check_duplicate": True,
        "labels": {"saas.stack": "saas"},
        "options": {
            "com.docker.network.bridge.name": "saas0",
            "com.docker.network.bridge.enable_icc": "false",
        },
        "ipam": {
            "Driver": "default",
            "Config": [
                {
                    "Subnet": "172.28.0.0/20",
                    "IPRange": "172.28.8.0/21",
                    "Gateway": "172.28.0.1",
                }
            ],
        },
    }


def _found_network(**changes):
    made = objects.make_network(CONFIG)
    return {
        "Driver": made["driver"],
        "Options": made["options"],
        "IPAM": made["ipam"],
    } | changes


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"Driver": "overlay"}, "is of kind overlay, not bridge"),
        ({"Options": None}, "lets tenants reach one another"),
        (
            {
                "Options": {
                    "com.docker.network.bridge.name": "br-1",
                    "com.docker.network.bridge.enable_icc": "false",
                }
            },
            "has the interface 'br-1', not 'saas0'",
        ),
        (
            {"IPAM": {"Config": [{"Subnet": "10.1.0.0/16"}]}},
            "has the subnet 10.1.0.0/16, not 172.28.0.0/20",
        ),
    ],
)
def test_a_network_that_is_not_as_it_should_be_is_named(changes, fault):
    assert objects.network_fault(CONFIG, _found_network(**changes)) == fault


@pytest.mark.parametrize(
    ("subnet", "slot", "address"),
    [
        ("172.28.0.0/20", 0, "172.28.0.16"),
        ("172.28.0.0/20", 239, "172.28.0.255"),
        ("172.28.0.0/20", 999, "172.28.3.247"),
        ("10.0.0.0/24", 111, "10.0.0.127"),
    ],
)
def test_a_slot_has_its_address_in_the_lower_half(subnet, slot, address):
    assert objects.address(subnet, slot) == address


@pytest.mark.parametrize(
    ("subnet", "slot", "room"),
    [
        ("172.28.0.0/20", 1000, 1000),
        ("172.28.0.0/20", -1, 1000),
        ("10.0.0.0/24", 112, 112),
        ("10.0.0.0/28", 0, 0),
    ],
)
def test_a_slot_past_the_room_is_refused(subnet, slot, room):
    with pytest.raises(RefusedError) as caught:
        objects.address(subnet, slot)
    assert caught.value.reason == "no_room"
    assert f"has room for {room} tenants" in caught.value.message


@pytest.mark.parametrize("subnet", ["", "172.28.0.0/33", "172.28.0.1/20", "x"])
def test_what_is_no_subnet_is_refused(subnet):
    with pytest.raises(RefusedError) as caught:
        objects.address(subnet, 0)
    assert caught.value.reason == "bad_subnet"


def test_a_tenant_answers_http_and_websockets_at_one_port():
    url = "http://172.28.0.19:8069"
    assert objects.target(CONFIG, SPEC) == Target(http=url, websocket=url)


def test_a_tenant_with_workers_answers_websockets_at_a_port_of_their_own():
    spec = dataclasses.replace(SPEC, evented=True)
    address = "http://172.28.0.19"
    expected = Target(http=f"{address}:8069", websocket=f"{address}:8072")
    assert objects.target(CONFIG, spec) == expected


def test_a_list_asks_for_what_is_ours_alone():
    assert objects.make_filters("saas", kind="tenant") == {
        "label": ["saas.stack=saas", "saas.tenant", "saas.kind=tenant"]
    }


# === NAMES === #


def test_names_derive_from_the_uid():
    assert objects.container_name(UID) == f"saas-{UID}"
    assert objects.state_volume(UID) == f"saas-{UID}-state"
    assert objects.config_volume(UID) == f"saas-{UID}-config"
    assert objects.task_name(UID, "seed") == f"saas-{UID}-seed"
    assert objects.task_volume(UID, "seed") == f"saas-{UID}-seed-config"


@pytest.mark.parametrize("uid", ["", "T1", "t-1", "t1/..", "t1 x", "1t", "t1\n"])
def test_a_uid_that_could_mean_another_name_is_refused(uid):
    with pytest.raises(RefusedError) as caught:
        objects.container_name(uid)
    assert caught.value.reason == "bad_name"


@pytest.mark.parametrize("key", ["", "Seed", "a/b", "-a", "seed\n"])
def test_a_key_that_could_mean_another_name_is_refused(key):
    with pytest.raises(RefusedError):
        objects.task_name(UID, key)


# === FILES === #


def test_files_belong_to_root_and_can_be_read_by_the_group():
    archive = objects.make_archive({"odoo.conf": b"secret", "b.conf": b""})
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {
            member.name: (member.uid, member.gid, member.mode, member.isfile())
            for member in tar
        }
        assert tar.extractfile("odoo.conf").read() == b"secret"
    assert members == {
        "b.conf": (0, objects.FILES_GROUP, 0o640, True),
        "odoo.conf": (0, objects.FILES_GROUP, 0o640, True),
    }


@pytest.mark.parametrize("name", ["", "..", ".", "../x", "/etc/x", "a/b", "a\n"])
def test_a_file_name_that_leads_elsewhere_is_refused(name):
    with pytest.raises(RefusedError) as caught:
        objects.make_archive({name: b""})
    assert caught.value.reason == "bad_name"


# === MEMORY AND DISK === #

MEASURED = """\
MemTotal:       24607996 kB
MemFree:         1234567 kB
MemAvailable:   20000000 kB
SwapTotal:             0 kB
    1B-blocks        Avail
 104857600000  52428800000
"""


def test_what_a_look_has_written_is_bytes_of_memory_and_disk():
    assert objects.read_room(MEASURED) == Room(
        memory=24607996 * 1024,
        memory_free=20000000 * 1024,
        disk=104857600000,
        disk_free=52428800000,
    )


@pytest.mark.parametrize("text", ["", "sh: df: not found\n", MEASURED[:60]])
def test_what_says_neither_is_told_with_its_words(text):
    with pytest.raises(RetryableError, match="could not be measured") as caught:
        objects.read_room(text)
    assert caught.value.reason == "unreadable"


def test_a_look_at_memory_and_disk_gets_no_volume_and_no_network():
    config = dataclasses.replace(CONFIG, toolbox="saas-toolbox")
    body = objects.make_measure(config)
    assert body["Image"] == "saas-toolbox"
    assert body["Labels"] == {"saas.stack": "saas", "saas.kind": "measure"}
    assert body["HostConfig"]["Mounts"] == []
    assert body["HostConfig"]["NetworkMode"] == "none"
    assert body["HostConfig"]["ReadonlyRootfs"] is True


# === DATABASE SERVERS OF TENANTS' OWN === #


DATABASE = DatabaseSpec(
    uid=UID,
    image="saas-postgres",
    port=6003,
    limits=LIMITS,
    connections=32,
    files={"saas_provisioner": b"secret"},
)


def test_a_database_server_is_hardened_in_no_network_and_holds_no_secret():
    config = dataclasses.replace(CONFIG, databases="saas_databases")
    body = objects.make_database(config, DATABASE)
    assert len(body["Labels"].pop("saas.spec")) == 32
    tmpfs = HARDENED["Tmpfs"] | {
        "/var/run/postgresql": "rw,noexec,nosuid,nodev,size=1m,mode=1777"
    }
    name = f"saas-{UID}-postgres"
    assert body == {
        "Image": "saas-postgres",
        "User": "postgres",
        "Hostname": f"{UID}-postgres",
        "Env": [
            "PGPORT=6003",
            "SAAS_DB_MAX_CONNECTIONS=32",
            "SAAS_DB_SHARED_BUFFERS=128MB",
            "SAAS_DB_SOCKETS=/run/saas/postgres,/run/saas/databases",
        ],
        "HostConfig": HARDENED
        | {
            "Tmpfs": tmpfs,
            "ShmSize": 134217728,
            "RestartPolicy": {"Name": "unless-stopped"},
            "NetworkMode": "none",
            "Mounts": [
                _volume(name, "/var/lib/postgresql/data", copy=True),
                _volume(f"{name}-config", "/run/saas/db"),
                _volume(f"{name}-socket", "/run/saas/postgres", copy=True),
                _volume("saas_databases", "/run/saas/databases"),
            ],
        },
        "Labels": {
            "saas.stack": "saas",
            "saas.tenant": UID,
            "saas.kind": "database",
        },
    }


def test_a_tenant_and_its_tasks_can_use_the_socket_of_their_own_and_change_nothing():
    tenant = objects.make_tenant(CONFIG, dataclasses.replace(SPEC, database=DATABASE))
    task = TaskSpec("bring", "i", ("true",), LIMITS, database=UID)
    drill = objects.make_task(CONFIG, TEMPLATE, task)
    socket = _volume(
        f"saas-{UID}-postgres-socket", "/run/saas/postgres", read_only=True
    )
    for body in (tenant, drill):
        assert body["HostConfig"]["Mounts"][-1] == socket


def test_no_task_is_called_like_a_database_server():
    with pytest.raises(RefusedError) as caught:
        objects.task_name(UID, "postgres")
    assert caught.value.reason == "bad_name"
