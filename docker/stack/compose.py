"""The stack's containers and networks, by Compose."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import engine
from .settings import Settings
from .shell import Shell, StackError

FILE = "docker/compose.yaml"
SECONDS_TO_HEALTH = 180
SECONDS_TO_STOP = 20


class Compose:
    """Compose for one stack, whichever of the two programs there is."""

    def __init__(self, settings: Settings, shell: Shell) -> None:
        self._settings = settings
        self._shell = shell
        self._command: list[str] = []

    def command(self, *argv: str) -> list[str]:
        settings = self._settings
        if not self._command:
            self._command = engine.compose_command(self._shell)
        return [
            *self._command,
            *("--project-name", settings.stack),
            *("--project-directory", str(settings.root / "docker")),
            *("--env-file", str(self._write_env())),
            *("--file", str(settings.root / FILE)),
            *(("--profile", "mailbox") if settings.has_mailbox else ()),
            *argv,
        ]

    def run(self, *argv: str, failure: str, stdin: str = "") -> str:
        """Run a command of Compose to its end; what it wrote."""
        return self._shell.run(self.command(*argv), failure, stdin=stdin).stdout

    def _write_env(self) -> Path:
        """The file that Compose takes its values from; sudo passes no environment."""
        path = self._settings.cache / f"{self._settings.stack}.env"
        values = {
            **self._settings.compose_values(),
            "DOCKER_GID": str(socket_group(self._shell)),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        return path

    def containers(self, *, everything: bool = True) -> list[str]:
        """The names of this project's containers."""
        label = f"label=com.docker.compose.project={self._settings.stack}"
        flags = ["--all"] if everything else []
        found = self._shell.docker(
            "ps", *flags, "--filter", label, "--format", "{{.Names}}"
        )
        return found.split()

    def services(self) -> list[str]:
        listed = self.run("config", "--services", failure=f"{FILE} cannot be read.")
        return listed.split()

    def container(self, service: str) -> str:
        """The id of a service's container that runs; empty when there is none."""
        return self._shell.docker(
            *(
                "ps",
                "--quiet",
                "--filter",
                f"label=com.docker.compose.service={service}",
            ),
            *("--filter", f"label=com.docker.compose.project={self._settings.stack}"),
            *("--filter", "label=com.docker.compose.oneoff=False"),
        ).split("\n")[0]

    def _any(self, service: str) -> str:
        """The name of a service's container, running or not."""
        return self._shell.docker(
            *("ps", "--all", "--filter", f"label=com.docker.compose.service={service}"),
            *("--filter", "label=com.docker.compose.oneoff=False"),
            *("--filter", f"label=com.docker.compose.project={self._settings.stack}"),
            *("--format", "{{.Names}}"),
        ).split("\n")[0]

    def health(self) -> dict[str, str]:
        """Service to what its container is: ``healthy``, ``starting``, ``failed``"""
        names = self.containers()
        if not names:
            return {}
        found = json.loads(self._shell.docker("inspect", *names))
        return dict(
            container_health(item)
            for item in found
            if item["Config"]["Labels"].get("com.docker.compose.oneoff") != "True"
        )

    def wait_healthy(
        self, note: Callable[[str], None], services: Sequence[str] = ()
    ) -> None:
        """Wait until these services are healthy; all of them without a name.

        :raise StackError: something is not, in time; its last lines are the details
        """
        deadline = time.monotonic() + SECONDS_TO_HEALTH
        while True:
            waiting = unready(self.health())
            if services:
                waiting = {name: waiting[name] for name in services if name in waiting}
            waiting = {
                name: state
                for name, state in waiting.items()
                if state != "starting" or not self._passes(name)
            }
            if not waiting:
                return
            note("waiting for " + ", ".join(sorted(waiting)))
            if time.monotonic() > deadline or "failed" in waiting.values():
                raise self._unhealthy(waiting)
            time.sleep(0.5)

    def _passes(self, service: str) -> bool:
        """Whether its own check passes by now; the engine itself asks much later."""
        name = self._any(service)
        form = "{{json .Config.Healthcheck.Test}}"
        kind, *argv = json.loads(self._shell.docker("inspect", "--format", form, name))
        command = [*self._shell.docker_command, "exec", name, *argv]
        return kind == "CMD" and not self._shell.run(command, check=False).returncode

    def _unhealthy(self, waiting: dict[str, str]) -> StackError:
        name = min(waiting, key=lambda service: waiting[service] != "failed")
        done = self._shell.run(
            [*self._shell.docker_command, "logs", "--tail", "12", self._any(name)],
            check=False,
        )
        said = "\n".join(
            line[:200] for line in (done.stdout + done.stderr).splitlines()
        )
        return StackError(
            f"The service {name} of the stack {self._settings.stack} is not healthy: "
            "see make logs.",
            said,
        )


def socket_group(shell: Shell) -> int:
    """The group that may use the engine's socket; the worker joins it."""
    try:
        return Path("/var/run/docker.sock").stat().st_gid
    except OSError:
        return 0


def container_health(inspected: dict[str, Any]) -> tuple[str, str]:
    """The service of an inspected container, and what it is in one word."""
    service = inspected["Config"]["Labels"]["com.docker.compose.service"]
    state = inspected["State"]
    if state["Status"] == "exited":
        return service, "finished" if state["ExitCode"] == 0 else "failed"
    if state["Status"] != "running":
        return service, state["Status"]
    return service, state.get("Health", {}).get("Status", "running")


def unready(health: dict[str, str]) -> dict[str, str]:
    """The services that people still have to wait for."""
    good = ("healthy", "running", "finished")
    return {name: state for name, state in health.items() if state not in good}


def ensure_network(settings: Settings, shell: Shell) -> None:
    """Have the network of the tenants: PostgreSQL is published on its gateway.

    :raise StackError: its addresses are taken, or a network of that name is not ours
    """
    name = settings.tenant_network
    found = shell.docker("network", "inspect", name, check=False)
    if found:
        _check_network(settings, json.loads(found)[0])
        return
    shell.docker(
        *("network", "create", "--driver", "bridge"),
        *("--subnet", settings["SAAS_TENANT_SUBNET"]),
        *("--gateway", settings.tenant_gateway),
        *("--ip-range", settings.tenant_dynamic_range),
        *("--opt", "com.docker.network.bridge.enable_icc=false"),
        *("--opt", f"com.docker.network.bridge.name={settings['SAAS_TENANT_BRIDGE']}"),
        *("--label", f"saas.stack={settings.stack}"),
        name,
        failure=(
            f"The network {name} cannot be made: if its addresses "
            f"({settings['SAAS_TENANT_SUBNET']}) are in use on this machine, set "
            "another SAAS_TENANT_SUBNET in .env."
        ),
    )


def _check_network(settings: Settings, network: dict[str, Any]) -> None:
    name = settings.tenant_network
    if network.get("Labels", {}).get("saas.stack") != settings.stack:
        raise StackError(
            f"There is a network {name} that is not ours: remove or rename it, or set "
            "another SAAS_STACK."
        )
    subnets = [item["Subnet"] for item in network["IPAM"]["Config"]]
    if settings["SAAS_TENANT_SUBNET"] not in subnets:
        raise StackError(
            f"The network {name} has other addresses ({subnets[0]}) than the settings "
            f"say ({settings['SAAS_TENANT_SUBNET']}): put them back in .env, or run "
            "make clean first, which removes all data."
        )
