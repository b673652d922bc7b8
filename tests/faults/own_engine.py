"""A Docker engine that tests may restart, and a whole stack on it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import docker
import pytest
from aftermath import Aftermath
from whole import have_residents, wait_for

from e2e.master import Master
from e2e.own import OwnStack
from e2e.stack import Stack
from stack import settings

API = "1.41"  # not to ask for it before there is an engine
CLONE_NEWNET = 0x40000000
SECONDS = 60
# An engine takes away the networks of another one that it shares a network with, so it
# has one of its own, and its own view of where engines keep their things. All of it
# ends with its first process, which reaps what an engine leaves behind.
ALONE = "--net --mount --pid --fork --mount-proc --kill-child --propagation slave"
PREPARE = r"""
set -e
awk '$2 ~ "^(/run|/var/lib/docker)/" { print $2 }' /proc/mounts | sort -r |
    xargs --no-run-if-empty umount --lazy
mount --bind "$1/run" /run
mount --bind "$1/lib" /var/lib/docker
ip link set lo up
touch "$1/ready"
exec "$2" -c "$3"
"""
REAP = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); signal.pause()"


class OwnEngine:
    """An engine of this machine that has nothing in common with the one in use.

    :param folder: for all its files; gone at the end
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._config = folder / "daemon.json"
        self.url = f"unix://{folder}/run/docker.sock"
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("run", "lib"):
            (folder / name).mkdir(parents=True)
        logs = folder.parent / "logs"
        logs.mkdir(exist_ok=True)
        self._log = (logs / f"{folder.name}.log").open("wb")
        self._holder = subprocess.Popen(
            # It ends with the tests, however these do.
            [
                *("setpriv", "--pdeathsig", "KILL", "unshare", *ALONE.split()),
                *("sh", "-c", PREPARE, "sh", str(folder), sys.executable, REAP),
            ],
            stdout=self._log,
            stderr=self._log,
        )
        self._process: subprocess.Popen | None = None
        wait_for((folder / "ready").exists, SECONDS, "it has no place of its own")
        self.client = docker.DockerClient(self.url, version=API)

    def start(self) -> None:
        """Start it as its settings say, and wait until it answers."""
        spaces = f"/proc/{self._holder.pid}/ns"
        self._process = subprocess.Popen(
            [
                *("nsenter", f"--net={spaces}/net", f"--mount={spaces}/mnt"),
                f"--pid={spaces}/pid_for_children",
                *("dockerd", f"--config-file={self._config}"),
            ],
            stdout=self._log,
            stderr=self._log,
        )
        wait_for(self._answers, SECONDS, "the engine does not come up")

    def _answers(self) -> bool:
        try:
            return self.client.ping()
        except (docker.errors.DockerException, OSError):
            return False

    def set_live_restore(self, wanted: bool) -> None:
        """Whether containers run on while the engine does not."""
        self._config.write_text(json.dumps({"live-restore": wanted}))
        if self._process:
            self._send(signal.SIGHUP)
            lives = lambda: self.client.info()["LiveRestoreEnabled"] == wanted
            wait_for(lives, SECONDS, "it does not take its new settings")

    def end(self, sent: signal.Signals) -> None:
        """End it by a signal, and wait until it has."""
        self._send(sent)
        self._process.wait(SECONDS)

    def _send(self, sent: signal.Signals) -> None:
        number = self._process.pid
        children = pathlib.Path(f"/proc/{number}/task/{number}/children")
        for child in children.read_text().split():
            os.kill(int(child), sent)

    def load(self, names) -> None:
        """Have these images of the engine in use."""
        with subprocess.Popen(
            ["docker", "save", *names], stdout=subprocess.PIPE
        ) as saved:
            command = ["docker", "--host", self.url, "load", "--quiet"]
            subprocess.run(command, stdin=saved.stdout, stdout=self._log, check=True)
        assert saved.returncode == 0

    @contextlib.contextmanager
    def network(self):
        """Be in its network: this thread, and those and the programs that it starts."""
        with (
            open("/proc/thread-self/ns/net") as ours,
            open(f"/proc/{self._holder.pid}/ns/net") as its,
        ):
            _enter_network(its)
            try:
                yield
            finally:
                _enter_network(ours)

    def close(self) -> None:
        self.client.close()
        self._holder.kill()
        self._holder.wait()
        if self._process:
            self._process.wait(SECONDS)
        self._log.close()
        shutil.rmtree(self._folder)


def _enter_network(file) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "the network cannot be entered")


# === A STACK ON IT === #


class Second:
    """A whole stack on an engine of its own, with two tenants.

    Its settings are those of the stack on the engine in use: the two do not meet.
    """

    def __init__(self, own: OwnEngine, names) -> None:
        self.values = settings.load_faults()
        host, password = self.values.host, self.values.admin_password
        with pytest.MonkeyPatch.context() as patch, own.network():
            patch.setenv("DOCKER_HOST", own.url)
            OwnStack(self.values).up()
            self.stack = Stack(own.client, self.values.stack)
            self.master = Master(host, self.values.port, password)
            [self.plan] = self.master.search("saas.plan", [("name", "=", "Basic")])
            self.residents = have_residents(self.master, self.stack, self.plan, names)
            self.aftermath = Aftermath(
                self.stack, self.master, self.residents, password
            )
