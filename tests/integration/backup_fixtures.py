"""Tenants and buckets for tests that have a ``bench`` of ``BackupBench``."""

from __future__ import annotations

import boto3
import pytest
from moto.server import ThreadedMotoServer
from postgres_bench import docker

from odoo.addons.saas_backup.engine.s3 import S3Config


@pytest.fixture
def tenant(bench):
    return bench.add_tenant()


@pytest.fixture
def fresh(bench):
    """A tenant with an empty database, as restores want it."""
    return bench.add_tenant(schema="")


@pytest.fixture(scope="session")
def gateway():
    """The address at which tasks reach what the tests listen on."""
    found = docker(
        *("network", "inspect", "bridge", "--format"),
        "{{(index .IPAM.Config 0).Gateway}}",
    )
    return found.strip() or "172.17.0.1"


@pytest.fixture
def amazon(gateway):
    """A bucket on a service that tasks reach: its settings, and a client of it."""
    server = ThreadedMotoServer(gateway, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    config = S3Config(
        "copies",
        endpoint=f"http://{host}:{port}",
        access_key="AKIAEXAMPLE",
        secret_key="planted-secret",
        path_style=True,
        prefix="saas",
        encryption="aws:kms",
        kms_key="1234abcd-12ab-34cd-56ef-1234567890ab",
    )
    client = boto3.client(
        "s3",
        endpoint_url=config.endpoint,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    client.create_bucket(Bucket="copies")
    yield config, client
    client.close()
    server.stop()
