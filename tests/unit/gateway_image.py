"""Loads the program of the gateway's image, which is no package."""

from __future__ import annotations

import contextlib
import importlib.util
import pathlib
import threading

FILE = pathlib.Path(__file__).resolve().parents[2] / "docker/gateway/gateway.py"


def load(pages):
    """The program as a module, with that folder for its pages."""
    spec = importlib.util.spec_from_file_location("gateway_image", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.PAGES = pages
    return module


@contextlib.contextmanager
def serve(pages):
    """One that runs; its address."""
    server = load(pages).make_server(0)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
