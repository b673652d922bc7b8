"""Can this machine carry the stack? Looked at before anything is changed."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path

from .settings import Settings, parse_env
from .shell import StackError

GIB = 1024**3
DISK_FIRST = 8 * GIB
DISK_AGAIN = 2 * GIB
MEMORY = int(2.8 * GIB)  # what is left of 3 GB after the kernel has taken its part
POSTGRES_PORT = 5432


@dataclasses.dataclass(frozen=True)
class Facts:
    """What was seen of the machine.

    :param bool root: the user is root
    :param bool sudo: the user may become root by sudo
    :param bool docker: an engine answers this user
    :param frozenset distributions: ids of the distribution and what it derives from
    :param int disk: free bytes where images go
    :param int memory: bytes
    :param bool built: our images are there already
    :param frozenset busy: ports that something else listens on
    """

    root: bool
    sudo: bool
    docker: bool
    distributions: frozenset[str]
    machine: str
    disk: int
    memory: int
    built: bool
    busy: frozenset[int]


def problems(facts: Facts, settings: Settings) -> list[str]:
    """What stands in the way, one sentence each, and what to do about it."""
    return [
        sentence
        for sentence in (
            _system_problem(facts),
            _permission_problem(facts),
            _disk_problem(facts),
            _memory_problem(facts),
            *_port_problems(facts, settings),
        )
        if sentence
    ]


def _system_problem(facts: Facts) -> str:
    if facts.machine not in ("x86_64", "aarch64", "arm64"):
        return (
            f"The processor is {facts.machine}, and there is no proxy for it: use a "
            "machine with x86_64 or arm64."
        )
    if facts.distributions & {"debian", "ubuntu"} or facts.docker:
        return ""
    return (
        "This is neither Debian nor Ubuntu and no Docker engine answers: install and "
        "start Docker by hand, then try again."
    )


def _permission_problem(facts: Facts) -> str:
    if facts.root or facts.sudo or facts.docker:
        return ""
    return (
        "No permission for Docker: run this as root, or as a user with sudo, or add "
        "yourself to the group docker (sudo usermod -aG docker $USER) and log in again."
    )


def _disk_problem(facts: Facts) -> str:
    needed = DISK_AGAIN if facts.built else DISK_FIRST
    if facts.disk >= needed:
        return ""
    return (
        f"Too little disk: {facts.disk / GIB:.1f} GB are free where Docker keeps its "
        f"images and {needed / GIB:.0f} GB are needed, so make room and try again."
    )


def _memory_problem(facts: Facts) -> str:
    if facts.memory >= MEMORY:
        return ""
    return (
        f"Too little memory: the machine has {facts.memory / GIB:.1f} GB and 3 GB are "
        "needed, so use a larger one."
    )


def _port_problems(facts: Facts, settings: Settings) -> list[str]:
    sentences = []
    for name, port in settings.ports.items():
        if port in facts.busy:
            sentences.append(
                f"Port {port} is busy: stop what listens there (sudo ss -ltnp "
                f"'sport = :{port}'), or set another {name} in .env."
            )
    if POSTGRES_PORT in facts.busy:
        sentences.append(
            f"Port {POSTGRES_PORT} is busy on all addresses: a PostgreSQL of this "
            "machine listens there; stop it or set its listen_addresses to localhost."
        )
    return sentences


def check(facts: Facts, settings: Settings) -> None:
    """Raise the first problem; the others follow as details.

    :raise StackError: the machine cannot carry the stack
    """
    found = problems(facts, settings)
    if found:
        raise StackError(found[0], "\n".join(found[1:]))


def distributions(os_release: str) -> frozenset[str]:
    """The ids in the text of ``/etc/os-release``."""
    values = parse_env(os_release)
    return frozenset([values.get("ID", ""), *values.get("ID_LIKE", "").split()]) - {""}


def memory_bytes(meminfo: str) -> int:
    """The total in the text of ``/proc/meminfo``; 0 when it does not say."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def free_disk(path: Path) -> int:
    """Free bytes where ``path`` is or would be made."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def listens_everywhere(port: int) -> bool:
    """Whether something listens on that port of every address of the machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections that are winding down do not count; a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 (closed at once)
        except PermissionError:
            return False  # a port below 1024, which the proxy may take and we may not
        except OSError:
            return True
        return False


def wildcard_listeners(table: str) -> frozenset[int]:
    """Ports with a listener on every address, from the text of ``/proc/net/tcp``."""
    ports = set()
    for line in table.splitlines()[1:]:
        _number, local, _remote, state = line.split()[:4]
        address, port = local.split(":")
        if state == "0A" and not int(address, 16):
            ports.add(int(port, 16))
    return frozenset(ports)


def gather(
    *,
    docker: bool,
    built: bool,
    own_ports: frozenset[int],
    sudo: bool,
    ports: Iterable[int],
) -> Facts:
    """Look at the machine.

    :param own_ports: ports that this stack itself listens on
    :param ports: ports that it will listen on
    """
    release = Path("/etc/os-release")
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    wildcard = frozenset().union(
        *(wildcard_listeners(path.read_text()) for path in tables if path.exists())
    )
    busy = {number for number in (POSTGRES_PORT,) if number in wildcard}
    busy.update(port for port in ports if listens_everywhere(port))
    return Facts(
        root=os.geteuid() == 0,
        sudo=sudo,
        docker=docker,
        distributions=distributions(release.read_text() if release.exists() else ""),
        machine=platform.machine(),
        disk=free_disk(Path("/var/lib/docker")),
        memory=memory_bytes(Path("/proc/meminfo").read_text()),
        built=built,
        busy=frozenset(busy) - own_ports,
    )
