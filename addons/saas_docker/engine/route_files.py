"""A proxy's watched directory, reached through the engine that runs the proxy."""

from __future__ import annotations

import contextlib
import hashlib
import io
import pathlib
import re
import tarfile
from collections.abc import Iterator

from docker import APIClient

from odoo.addons.saas.engine.errors import RefusedError

from .client import find, get_client, translate_errors
from .objects import DockerConfig, make_archive

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,90}")


class DockerRouteFiles:
    """``RouteFiles`` in a volume of the proxy's container.

    :param str container: the proxy's container, which must have the volume writable
    :param str directory: where the volume lies in that container
    :param str user: who may rename and remove there; empty for the container's own
    """

    def __init__(
        self, config: DockerConfig, container: str, directory: str, user: str = ""
    ) -> None:
        self.config = config
        self.container = container
        self.directory = directory
        self.user = user

    def __repr__(self) -> str:
        return f"DockerRouteFiles({self.container}:{self.directory})"

    def write(self, name: str, content: bytes) -> None:
        """Lay a file whole or not at all; unchanged is left alone."""
        path = self._path(_checked(name))
        with self._calling() as api:
            if self._read(api, path).get(name) == content:
                return
            # The proxy passes over names with a dot in front; it sees whole files only.
            temporary = f".{name}.tmp"
            archive = make_archive({temporary: content}, mode=0o644)
            api.put_archive(self.container, self.directory, archive)
            self._run(api, "mv", "-f", self._path(temporary), path)

    def remove(self, name: str) -> None:
        """Remove a file; absent is success."""
        path = self._path(_checked(name))
        with self._calling() as api:
            self._run(api, "rm", "-f", path)

    def read(self, name: str) -> bytes | None:
        """What a file holds, None when it is certain that it is absent."""
        path = self._path(_checked(name))
        with self._calling() as api:
            self._require_container(api)
            return self._read(api, path).get(name)

    def read_all(self) -> dict[str, bytes]:
        """All files by name; no temporary ones of a killed writer."""
        with self._calling() as api:
            self._require_container(api)
            return self._read(api, self.directory)

    def list_versions(self) -> dict[str, str]:
        """A hash of each file: the engine gives them all or none."""
        files = self.read_all()
        return {name: hashlib.sha256(files[name]).hexdigest() for name in files}

    def _require_container(self, api: APIClient) -> None:
        if not find(api.inspect_container, self.container):
            raise RefusedError(
                f"The proxy's container {self.container} is not on the server "
                f"{self.config.url}; start the proxy.",
                reason="absent",
            )

    def _read(self, api: APIClient, path: str) -> dict[str, bytes]:
        """The files at a path, which may be one file or absent."""
        found = find(api.get_archive, self.container, path)
        if found is None:
            return {}
        with tarfile.open(fileobj=io.BytesIO(b"".join(found[0]))) as archive:
            return dict(_read_members(archive))

    @contextlib.contextmanager
    def _calling(self) -> Iterator[APIClient]:
        subject = f"Routes in {self.container}:{self.directory}"
        with translate_errors(self.config.url, subject):
            yield get_client(self.config)

    def _run(self, api: APIClient, *command: str) -> None:
        run = api.exec_create(self.container, list(command), user=self.user)
        output = api.exec_start(run["Id"])
        if api.exec_inspect(run["Id"])["ExitCode"]:
            detail = output.decode(errors="replace").strip()[:200]
            raise RefusedError(
                f"Routes in {self.container}:{self.directory} cannot be changed "
                f"({detail}); let the container's user write there.",
                reason="not_writable",
            )

    def _path(self, name: str) -> str:
        return str(pathlib.PurePosixPath(self.directory, name))


def _read_members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        name = pathlib.PurePosixPath(member.name).name
        content = archive.extractfile(member) if member.isfile() else None
        if content and not name.startswith("."):
            yield name, content.read()


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise RefusedError(
            f"{name!r} cannot be the name of a route.", reason="bad_name"
        )
    return name
