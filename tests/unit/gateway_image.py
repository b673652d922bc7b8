"""Loads the programs of the gateway's image, which are no package."""

from __future__ import annotations

import contextlib
import importlib.util
import pathlib
import socketserver
import threading

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "docker/gateway"


def load(name):
    """The program of that name as a module of its own."""
    spec = importlib.util.spec_from_file_location(
        f"gateway_image_{name}", FOLDER / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def running(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def serve(pages, switch="/nowhere", **limits):
    """A gateway that runs, with these pages and that switch; its address."""
    module = load("gateway")
    module.PAGES, module.SWITCH = pages, str(switch)
    for name, value in limits.items():
        assert hasattr(module, name), name
        setattr(module, name, value)
    with running(module.make_server(0)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


class Switch(socketserver.ThreadingUnixStreamServer):
    """Stands for the real one: takes down who is to wake, and does what it is told.

    :param wake: called with a uid; whether it is awake then
    """

    daemon_threads = True

    def __init__(self, path, wake):
        self.wake, self.asked = wake, []
        super().__init__(str(path), Question)


class Question(socketserver.StreamRequestHandler):
    def handle(self):
        uid = self.rfile.readline().decode().strip()
        self.server.asked.append(uid)
        self.wfile.write(b"awake\n" if self.server.wake(uid) else b"no\n")
