"""Route files in the volume of a proxy's container, through a real engine."""

from __future__ import annotations

import pytest
from docker_bench import CONFIG, FOREIGN, IMAGE, SOCKET, STACK, empty
from driver_contract import refused

from odoo.addons.saas.engine.proxy import Route, TraefikProxy
from odoo.addons.saas_docker.engine.route_files import DockerRouteFiles

CONTAINER = f"{STACK}-proxy"
DIRECTORY = "/etc/odoo"  # of the image's user, as the proxy's own directory is
NAME = "t0000000000a1.yml"


@pytest.fixture(scope="module", autouse=True)
def _proxy(docker_api):
    """A container with a directory in a volume, as the proxy's own."""
    api = docker_api
    empty(api)
    volume = f"{STACK}-routes"
    api.create_volume(name=volume, labels={FOREIGN: "1"})
    mount = {"Type": "volume", "Source": volume, "Target": DIRECTORY}
    body = {
        "Image": IMAGE,
        "Labels": {FOREIGN: "1"},
        "HostConfig": {
            "Init": True,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "Mounts": [mount],
        },
    }
    api.create_container_from_config(body, name=CONTAINER)
    api.start(CONTAINER)
    yield
    empty(api)


@pytest.fixture
def files(docker_api):
    assert _run(docker_api, "find", DIRECTORY, "-mindepth", "1", "-delete") == ""
    return DockerRouteFiles(CONFIG, CONTAINER, DIRECTORY)


def _run(api, *command):
    run = api.exec_create(CONTAINER, list(command))
    return api.exec_start(run["Id"]).decode()


def _list(api):
    return _run(api, "ls", "-lAi", DIRECTORY)


def test_a_file_is_written_read_replaced_and_removed(files):
    files.write(NAME, b"one")
    files.write(NAME, b"two")
    files.write("other.yml", b"kept")
    assert files.read_all() == {NAME: b"two", "other.yml": b"kept"}
    files.remove(NAME)
    files.remove(NAME)
    assert files.read_all() == {"other.yml": b"kept"}


def test_an_unchanged_file_is_left_alone(files, docker_api):
    files.write(NAME, b"one")
    before = _list(docker_api)
    files.write(NAME, b"one")
    assert _list(docker_api) == before
    files.write(NAME, b"two")
    assert _list(docker_api) != before


def test_the_proxy_may_read_a_file_and_finds_no_half_written_one(files, docker_api):
    files.write(NAME, b"one")
    listed = _list(docker_api)
    assert f"{NAME}\n" in listed
    assert "-rw-r--r--" in listed
    assert ".tmp" not in listed


def test_half_a_file_of_a_killed_writer_is_not_read(files, docker_api):
    assert _run(docker_api, "touch", f"{DIRECTORY}/.{NAME}.tmp") == ""
    assert files.read_all() == {}
    files.write(NAME, b"whole")
    assert files.read_all() == {NAME: b"whole"}


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", ".hidden", "a/b"])
def test_a_name_that_leads_elsewhere_is_refused(files, name):
    for call in (lambda: files.write(name, b""), lambda: files.remove(name)):
        with refused("bad_name"):
            call()


def test_a_directory_that_the_proxy_may_not_write_is_told(files):
    """Only a volume is writable there, and the container's own user has to do it."""
    closed = DockerRouteFiles(CONFIG, CONTAINER, "/etc")
    with refused("not_writable") as caught:
        closed.remove("passwd")
    assert "Read-only file system" in caught.value.message


def test_a_proxy_that_is_not_there_is_no_proxy_without_routes(files):
    lost = DockerRouteFiles(CONFIG, f"{STACK}-nowhere", DIRECTORY)
    with refused("absent") as caught:
        lost.read_all()
    assert caught.value.message == (
        f"The proxy's container {STACK}-nowhere is not on the server {SOCKET}; start "
        "the proxy."
    )
    with refused("absent"):
        lost.write(NAME, b"x")


def test_traefiks_routes_go_the_same_way(files):
    proxy = TraefikProxy(files)
    host, url = "alfa.odoo.localhost", "http://172.28.0.16:8069"
    route = Route("t0000000000a1", (host,), http=url, websocket=url)
    proxy.put_route(route)
    assert proxy.list_routes() == {route.uid: route}
    assert proxy.check() == "Traefik by files, 1 routes"
    proxy.delete_route(route.uid)
    assert proxy.list_routes() == {}
