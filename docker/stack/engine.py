"""The Docker engine and Compose: found, or installed and started."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from .packages import Apt
from .shell import Shell, StackError, tail

COMPOSE_PACKAGES = ("docker-compose-v2", "docker-compose-plugin", "docker-compose")
SECONDS_TO_START = 60
PID_FILE = Path("/var/run/docker.pid")
DAEMON_LOG = Path("/var/log/dockerd.log")


def answers(shell: Shell) -> bool:
    """Whether an engine answers this user, directly or by sudo where that asks nothing.

    Remembers in the shell which of the two it was.
    """
    if shutil.which("docker") is None:
        return False
    probe = ["docker", "version", "--format", "{{.Server.Version}}"]
    if shell.run(probe, check=False, timeout=20).returncode == 0:
        shell.docker_as_root = False
        return True
    if os.geteuid() == 0 or not may_sudo(shell):
        return False
    shell.docker_as_root = True
    return shell.run(["sudo", *probe], check=False, timeout=20).returncode == 0


def is_installed() -> bool:
    """Whether this machine has the program of an engine."""
    return shutil.which("dockerd") is not None


def may_sudo(shell: Shell) -> bool:
    """Whether sudo works without a question, after one question on a terminal."""
    if shutil.which("sudo") is None:
        return False
    if shell.run(["sudo", "-n", "true"], check=False).returncode == 0:
        return True
    return os.isatty(0) and shell.stream(["sudo", "-v"]) == 0


def ensure(shell: Shell, apt: Apt) -> str:
    """Have an engine that answers and a Compose; one line about them.

    :raise StackError: it cannot be installed or does not start
    """
    if not answers(shell):
        if not is_installed():
            install_engine(apt)
        start(shell)
    if not compose_command(shell):
        install_compose(apt)
        if not compose_command(shell):
            raise StackError(
                "Docker Compose was installed but does not answer: see that docker "
                "compose version or docker-compose version works, then try again."
            )
    version = shell.docker("version", "--format", "{{.Server.Version}}")
    return f"engine {version}, {' '.join(compose_command(shell))}"


def install_engine(apt: Apt) -> None:
    """Install the distribution's engine, and its client where that is apart."""
    client = ["docker-cli"] if apt.known("docker-cli") else []
    apt.install("docker.io", "iptables", *client)


def install_compose(apt: Apt) -> None:
    for package in COMPOSE_PACKAGES:
        if apt.known(package):
            apt.install(package)
            return
    raise StackError(
        "The distribution has no Docker Compose: install the Compose plugin as "
        "Docker's own documentation says, then try again."
    )


def compose_command(shell: Shell) -> list[str]:
    """How Compose is called by this user; empty when there is none."""
    if shutil.which("docker"):
        done = shell.run(["docker", "compose", "version"], check=False)
        if done.returncode == 0 and "ompose" in done.stdout:
            return [*shell.docker_command, "compose"]
    if shutil.which("docker-compose"):
        prefix = shell.root_prefix() if shell.docker_as_root else []
        return [*prefix, "docker-compose"]
    return []


def start(shell: Shell) -> None:
    """Start the engine and wait until it answers.

    :raise StackError: it does not
    """
    if Path("/run/systemd/system").is_dir():
        shell.root(
            ["systemctl", "start", "docker"],
            "The Docker engine does not start: see journalctl -u docker.",
            check=False,
        )
    else:
        _start_daemon(shell)
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if answers(shell):
            return
        time.sleep(0.5)
    raise StackError(
        f"The Docker engine was started and did not answer in {SECONDS_TO_START} s: "
        f"see journalctl -u docker, or {DAEMON_LOG} where there is no systemd.",
        _daemon_said(),
    )


def _start_daemon(shell: Shell) -> None:
    """Run the engine itself, detached: an init script may fail on a ulimit here."""
    if _is_stale(PID_FILE):
        shell.root(["rm", "-f", str(PID_FILE)])
    launcher = f"exec dockerd >>{DAEMON_LOG} 2>&1"
    subprocess.Popen(
        [*shell.root_prefix(), "sh", "-c", launcher],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _is_stale(pid_file: Path) -> bool:
    """Whether the file names a process that is no engine (any more)."""
    try:
        pid = pid_file.read_text().strip()
        return "dockerd" not in Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return pid_file.exists()


def _daemon_said() -> str:
    try:
        return tail(DAEMON_LOG.read_text(errors="replace"), 5)
    except OSError:
        return ""
