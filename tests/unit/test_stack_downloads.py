"""What the images are made from is fetched whole, or a sentence says what to do."""

from __future__ import annotations

import http.server
import threading

import pytest

from stack.downloads import fetch
from stack.shell import StackError


class Mirror(http.server.BaseHTTPRequestHandler):
    """Has one file, has had another, and stumbles over a third."""

    def do_GET(self):
        status = {"/there.deb": 200, "/older.deb": 404}.get(self.path, 503)
        self.send_response(status)
        self.end_headers()
        if status == 200:
            self.wfile.write(b"package")

    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope="module")
def mirror():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_file_that_is_there_is_fetched(mirror, tmp_path):
    fetch(f"{mirror}/there.deb", tmp_path / "there.deb", print)
    assert (tmp_path / "there.deb").read_bytes() == b"package"


def test_a_package_that_the_mirror_has_no_more_is_told_where_it_is(mirror, tmp_path):
    with pytest.raises(StackError) as caught:
        fetch(f"{mirror}/older.deb", tmp_path / "older.deb", print)
    assert caught.value.message == (
        f"{mirror}/older.deb is not there any more: the distribution has a newer one. "
        "Take older.deb from snapshot.debian.org, and name it as ODOO_DEB=/path in "
        ".env."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_mirror_that_fails_is_named(mirror, tmp_path):
    with pytest.raises(StackError) as caught:
        fetch(f"{mirror}/other.deb", tmp_path / "other.deb", print)
    assert caught.value.message.startswith(f"{mirror}/other.deb cannot be fetched")
    assert list(tmp_path.iterdir()) == []
