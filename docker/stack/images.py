"""The images: each is built when what it is made of has changed, and only then."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO

from .packages import Apt
from .settings import Settings
from .shell import Shell, StackError

LABEL = "saas.image"
HASH_LABEL = "saas.hash"
SECONDS_TO_PULL = 60
# Half of a build waits for the mirror and the disk.
BUILDS_AT_ONCE = 3
# In both ways of writing: `deb [signed-by=…] http://…` and `URIs: http://…`.
APT_SOURCE = re.compile(
    r"^(?:deb\s+(?:\[[^\]]*\]\s+)?|URIs:\s*)(https?://\S+)", re.MULTILINE
)
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclasses.dataclass(frozen=True)
class Image:
    """One image of ours.

    :param str parent: the image of ours that it builds on, empty for the first
    :param str setting: the setting that can name another base
    """

    name: str
    parent: str = "saas-base"
    setting: str = ""
    version: str = ""

    @property
    def dockerfile(self) -> str:
        return f"docker/{self.name.removeprefix('saas-')}/Dockerfile"

    @property
    def tags(self) -> list[str]:
        versions = [self.version] if self.version else []
        return [f"{self.name}:{tag}" for tag in ("latest", *versions)]


IMAGES = (
    Image("saas-base", parent="", setting="BASE_IMAGE"),
    Image("saas-odoo", setting="ODOO_BASE_IMAGE", version="19.0"),
    Image("saas-master", parent="saas-odoo"),
    Image("saas-toolbox"),
    Image("saas-postgres", setting="POSTGRES_BASE_IMAGE"),
    Image("saas-traefik", setting="TRAEFIK_BASE_IMAGE"),
    Image("saas-firewall"),
    Image("saas-gateway"),
    Image("saas-mail"),
)


def copied_sources(dockerfile: str) -> list[str]:
    """What a Dockerfile copies from its build context, in order."""
    sources = []
    for line in dockerfile.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word.upper() not in ("COPY", "ADD"):
            continue
        words = json.loads(rest) if rest.strip().startswith("[") else rest.split()
        if any(item.startswith("--from=") for item in words):
            continue
        sources += [item for item in words if not item.startswith("--")][:-1]
    return sources


def context_files(root: Path, dockerfile: str) -> list[Path]:
    """The files of the build context: the Dockerfile and what it copies, sorted.

    :raise StackError: it copies what is not there
    """
    found = {root / dockerfile}
    for source in copied_sources((root / dockerfile).read_text(encoding="utf-8")):
        matches = [Path(match) for match in glob.glob(str(root / source.rstrip("/")))]
        if not matches:
            raise StackError(
                f"{dockerfile} copies {source}, which is not there: the clone is not "
                "whole, so see what git status says."
            )
        for match in matches:
            found.update(_files(match))
    return sorted(found)


def _files(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    return [
        file
        for file in path.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]


def context_hash(
    root: Path, files: Sequence[Path], arguments: Mapping[str, str], parent: str
) -> str:
    """A hash over all that makes a difference to the image that comes out."""
    digest = hashlib.sha256()
    digest.update(json.dumps([parent, sorted(arguments.items())]).encode())
    for file in files:
        executable = bool(file.stat().st_mode & 0o100)
        name = file.relative_to(root).as_posix()
        digest.update(f"\0{name}\0{executable}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:32]


def label(shell: Shell, image: str, name: str) -> str:
    """The value of an image's label; empty when there is none, or no such image."""
    template = '{{index .Config.Labels "' + name + '"}}'
    return shell.docker(
        "image", "inspect", "--format", template, image, check=False
    ).replace("<no value>", "")


def identity(shell: Shell, image: str) -> str:
    """The id of an image; empty when there is no such image."""
    return shell.docker("image", "inspect", "--format", "{{.Id}}", image, check=False)


def all_built(shell: Shell) -> bool:
    return all(label(shell, image.name, HASH_LABEL) for image in IMAGES)


def ensure_base(
    settings: Settings, shell: Shell, apt: Apt, note: Callable[[str], None]
) -> None:
    """Have the base image: as it is, from a registry, or made from packages.

    :raise StackError: none of these works
    """
    name = settings["BASE_IMAGE"]
    if identity(shell, name):
        note(f"{name} is there")
        return
    note(f"asking a registry for {name}")
    if pull(shell, name):
        note(f"{name} from the registry")
        return
    if name != "debian:trixie-slim":
        raise StackError(
            f"The base image {name} is neither here nor in a reachable registry: load "
            "it (docker load), or take BASE_IMAGE out of .env."
        )
    note("no registry answers: made from packages")
    make_base(settings, shell, apt, name)


def pull(shell: Shell, name: str) -> bool:
    try:
        shell.docker("pull", "--quiet", name, timeout=SECONDS_TO_PULL)
    except StackError:
        return False
    return True


def make_base(settings: Settings, shell: Shell, apt: Apt, name: str) -> None:
    """Make a minimal Debian with mmdebstrap and import it under that name."""
    apt.ensure("mmdebstrap", "mmdebstrap")
    if not DEBIAN_KEYRING.exists():
        apt.install("debian-archive-keyring")
    with tempfile.TemporaryDirectory(dir=settings.cache) as folder:
        archive = str(Path(folder) / "base.tar")
        shell.root(
            [
                "mmdebstrap",
                "--variant=minbase",
                f"--keyring={DEBIAN_KEYRING}",
                "--include=ca-certificates",
                "trixie",
                archive,
                # Without one it takes the distribution's own.
                *([settings["DEBIAN_MIRROR"]] if settings["DEBIAN_MIRROR"] else []),
            ],
            "The base image cannot be made: see that a Debian mirror can be reached, "
            "or load debian:trixie-slim yourself (docker load); try again.",
        )
        change = f'LABEL {LABEL}="1"'
        shell.docker("import", "--change", change, archive, name)


def mirror(settings: Settings, shell: Shell) -> str:
    """The address of a Debian mirror: the operator's, or that of the base image.

    :raise StackError: the base image names none
    """
    if settings["DEBIAN_MIRROR"]:
        return settings["DEBIAN_MIRROR"].rstrip("/")
    sources = shell.docker(
        *("run", "--rm", "--label", f"saas.stack={settings.stack}-images"),
        *("--network", "none", "--entrypoint", "sh", settings["BASE_IMAGE"], "-c"),
        "cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true",
    )
    found = APT_SOURCE.search(sources)
    if not found:
        raise StackError(
            f"The image {settings['BASE_IMAGE']} names no Debian mirror: set "
            "DEBIAN_MIRROR in .env to one, e.g. that of your network."
        )
    return found[1].rstrip("/")


def base_of(settings: Settings, image: Image) -> str:
    """The image that another one builds on."""
    if image.setting and settings[image.setting]:
        return settings[image.setting]
    return f"{image.parent}:latest"


def ensure_foreign_base(shell: Shell, name: str) -> None:
    """Have a base image that the operator named.

    :raise StackError: it is neither here nor in a registry
    """
    if not identity(shell, name) and not pull(shell, name):
        raise StackError(
            f"The base image {name} that .env names is neither here nor in a reachable "
            "registry: load it (docker load), or take it out of .env."
        )


def ensure(settings: Settings, shell: Shell, note: Callable[[str], None]) -> list[str]:
    """Build what has changed, some at once; the names of what was built."""
    builds: dict[str, Future[bool]] = {}
    # In their order no image waits for one that is begun after it.
    with ThreadPoolExecutor(BUILDS_AT_ONCE) as pool:
        for image in IMAGES:
            if (settings.root / image.dockerfile).exists():
                parent = builds.get(image.parent)
                builds[image.name] = pool.submit(
                    _ensure_image, settings, shell, note, image, parent
                )
    built = [name for name, done in builds.items() if done.result()]
    note(f"built {', '.join(built)}" if built else "all as they should be")
    return built


def _ensure_image(
    settings: Settings,
    shell: Shell,
    note: Callable[[str], None],
    image: Image,
    parent: Future[bool] | None,
) -> bool:
    if parent:
        parent.result()
    note(image.name)
    base = base_of(settings, image)
    if image.setting:
        ensure_foreign_base(shell, base)
    return build(settings, shell, image, base)


def build(settings: Settings, shell: Shell, image: Image, base: str) -> bool:
    """Build one image unless it is what it should be; whether it was built."""
    arguments = {"BASE": base}
    files = context_files(settings.root, image.dockerfile)
    parent = label(shell, base, HASH_LABEL) or identity(shell, base)
    wanted = context_hash(settings.root, files, arguments, parent)
    if all(label(shell, tag, HASH_LABEL) == wanted for tag in image.tags):
        return False
    with tempfile.TemporaryFile(dir=settings.cache) as archive:
        pack(settings.root, files, archive)
        archive.seek(0)
        _docker_build(shell, image, arguments, wanted, archive)
    return True


def pack(root: Path, files: Sequence[Path], archive: IO[bytes]) -> None:
    """Write the build context: the same bytes for the same files, whoever owns them."""

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = "root"
        info.mode = 0o755 if info.mode & 0o100 else 0o644
        return info

    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for file in files:
            tar.add(file, file.relative_to(root).as_posix(), filter=plain)


def _docker_build(
    shell: Shell,
    image: Image,
    arguments: Mapping[str, str],
    hashed: str,
    archive: IO[bytes],
) -> None:
    argv = [*shell.docker_command, "build", "--file", image.dockerfile]
    argv += ["--label", f"{LABEL}=1", "--label", f"{HASH_LABEL}={hashed}"]
    for tag in image.tags:
        argv += ["--tag", tag]
    for name, value in arguments.items():
        argv += ["--build-arg", f"{name}={value}"]
    shell.pipe(
        [*argv, "-"],
        archive,
        f"The image {image.name} cannot be built: the lines below say at what; see "
        "that the Debian mirror can be reached from containers, then try again.",
        image.name,
    )
