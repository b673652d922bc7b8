"""The configuration of a tenant's Odoo: the same values, the same bytes."""

from __future__ import annotations

import base64
import configparser

import pytest
from passlib.context import CryptContext

from odoo.addons.saas.engine.tenant_config import (
    get_needs,
    make_admin_hash,
    make_config,
)

KEY = bytes(range(32))
VALUES = {
    "uid": "t0123456789ab",
    "database_host": "172.28.0.1",
    "database_port": 5432,
    "password": "database-secret",
    "admin_password": "admin-secret",
    "public_key": base64.b64encode(KEY).decode(),
}


def _read(**changes):
    parser = configparser.RawConfigParser()
    parser.read_string(make_config(**{**VALUES, **changes}).decode())
    return parser


def test_the_whole_file():
    parser = _read()
    assert dict(parser["saas_agent"]) == {
        "uid": "t0123456789ab",
        "public_key": base64.b64encode(KEY).decode(),
    }
    assert dict(parser["options"]) == {
        "db_host": "172.28.0.1",
        "db_port": "5432",
        "db_user": "t0123456789ab",
        "db_password": "database-secret",
        "db_name": "t0123456789ab",
        "db_maxconn": "14",
        "admin_passwd": make_admin_hash("admin-secret"),
        "list_db": "False",
        "proxy_mode": "True",
        "data_dir": "/var/lib/odoo",
        "http_interface": "0.0.0.0",
        "http_port": "8069",
        "gevent_port": "8072",
        "workers": "0",
        "max_cron_threads": "1",
        "limit_memory_soft": "0",
        "limit_memory_hard": "0",
        "limit_time_cpu": "600",
        "limit_time_real": "1200",
        "limit_time_real_cron": "1200",
        "server_wide_modules": "base,rpc,web,saas_agent",
        "with_demo": "False",
        "log_level": "info",
    }


def test_a_filter_by_host_name_would_cost_a_look_at_the_database_postgres():
    assert "dbfilter" not in _read()["options"]


def test_the_same_values_make_the_same_bytes():
    assert make_config(**VALUES) == make_config(**VALUES)


def test_the_master_password_is_there_as_a_hash_that_odoo_verifies():
    content = make_config(**VALUES).decode()
    assert "admin-secret" not in content
    odoo = CryptContext(
        schemes=["pbkdf2_sha512", "plaintext"],
        deprecated=["plaintext"],
        pbkdf2_sha512__rounds=600_000,
    )
    stored = _read()["options"]["admin_passwd"]
    assert odoo.verify("admin-secret", stored)
    assert not odoo.verify("another", stored)
    assert not odoo.verify(stored, stored)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{base64.b64encode(KEY).decode()}\n", base64.b64encode(KEY).decode()),
        (KEY.hex(), base64.b64encode(KEY).decode()),
    ],
)
def test_the_public_key_may_come_in_both_forms(text, expected):
    assert _read(public_key=text)["saas_agent"]["public_key"] == expected


def test_without_a_public_key_nobody_can_log_in_by_token():
    assert dict(_read(public_key="")["saas_agent"]) == {"uid": "t0123456789ab"}


@pytest.mark.parametrize("public_key", ["AAAA", "00" * 31, "a\nb", "x" * 44])
def test_what_is_no_public_key_is_a_fault(public_key):
    with pytest.raises(ValueError, match="not a raw Ed25519 key"):
        make_config(**{**VALUES, "public_key": public_key})


@pytest.mark.parametrize("name", ["uid", "database_host", "password"])
@pytest.mark.parametrize(
    "value", ["a\nlist_db = True", "a\r[options]", " a", "", "a\0"]
)
def test_no_value_can_bring_a_line_of_its_own(name, value):
    with pytest.raises(ValueError, match="line of its own"):
        make_config(**{**VALUES, name: value})


@pytest.mark.parametrize(("limit", "pool"), [(16, 14), (4, 2), (1, 2)])
def test_the_pool_leaves_connections_of_the_limit_free(limit, pool):
    assert _read(connections=limit)["options"]["db_maxconn"] == str(pool)


@pytest.mark.parametrize("workers", [2, 3, 4, 8, 16])
def test_processes_of_an_odoo_with_workers_share_the_connections(workers):
    limit = get_needs(workers).connections
    options = _read(connections=limit, workers=workers)["options"]
    assert options["workers"] == str(workers)
    # One more is for scheduled actions, and one for all websockets.
    each, evented = int(options["db_maxconn"]), int(options["db_maxconn_gevent"])
    assert each >= 3
    assert evented >= 3
    assert each * (workers + 1) + evented == limit - 2


def test_websockets_share_one_process_and_get_the_connections_that_remain():
    options = _read(connections=20, workers=2)["options"]
    assert (options["db_maxconn"], options["db_maxconn_gevent"]) == ("4", "6")


def test_each_worker_needs_memory_processes_and_connections():
    one, two, four = get_needs(0), get_needs(2), get_needs(4)
    assert (one.memory >> 20, one.processes, one.connections) == (256, 50, 4)
    assert (two.memory >> 20, two.processes, two.connections) == (512, 58, 14)
    assert (four.memory >> 20, four.processes, four.connections) == (768, 66, 20)
