"""Lets these tests use the contracts that lie beside the unit tests."""

from __future__ import annotations

import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "unit"))

from backup_fixtures import amazon, fresh, gateway, tenant  # noqa: F401 (for all tests)


@pytest.fixture(scope="session")
def docker_api():
    """A client of the real engine, with the images that ``docker_bench`` needs."""
    import docker_bench
    from docker import APIClient

    url = docker_bench.SOCKET
    with APIClient(base_url=url, version="auto", timeout=60) as client:
        docker_bench.clean(client)
        docker_bench.build_images(client)
        yield client
        docker_bench.clean(client)
        docker_bench.remove_images(client)
