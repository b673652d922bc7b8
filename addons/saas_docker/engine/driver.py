"""A Docker engine as a server for tenants: a sequence of calls, nothing remembered."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
import threading
import time
from collections.abc import Container, Iterator, Mapping
from typing import Any

from docker import APIClient

from odoo.addons.saas.engine.driver import (
    CONFIG_DIRECTORY,
    DATABASE_DIRECTORY,
    DATABASES,
    DatabaseSpec,
    Driver,
    Event,
    Observation,
    Phase,
    Room,
    Target,
    TaskObservation,
    TaskPhase,
    TaskSpec,
    TenantSpec,
)
from odoo.addons.saas.engine.errors import RefusedError, RetryableError

from . import objects
from .client import (
    find,
    get_client,
    make_client,
    translate_errors,
    update_limits,
)
from .objects import DockerConfig

STOP_SECONDS = 10
"""How long a tenant may take to finish its requests before it is killed."""

DATABASE_STOP_SECONDS = 20
"""How long a database server may take to write down what it has in memory."""

TASK_LOG_LINES = 100

EVENTS_GRACE = 10.0
"""Seconds after which a list of events is ended that the engine does not end."""

_EVENTS = (
    "start",
    "die",
    "stop",
    "pause",
    "unpause",
    "oom",
    "update",
    "destroy",
    "health_status",
)

_NEEDED = {
    "MemoryLimit": "memory",
    "CpuCfsQuota": "CPU time",
    "PidsLimit": "the number of processes",
}


class DockerDriver(Driver):
    """Tenants as hardened containers on one engine, remote or not."""

    def __init__(self, config: DockerConfig) -> None:
        self.config = config

    def __repr__(self) -> str:
        return f"DockerDriver({self.config.url})"

    @contextlib.contextmanager
    def _calling(self, subject: str) -> Iterator[APIClient]:
        with translate_errors(self.config.url, subject):
            yield get_client(self.config)

    # === SERVER === #

    def check(self) -> str:
        subject, url = f"Network {self.config.network}", self.config.url
        with translate_errors(url, subject), make_client(self.config) as api:
            info = api.info()
            self._check_limits(info)
            self._require_network(api)
        if self.config.toolbox:
            with self._calling("The toolbox") as api:
                api.inspect_image(self.config.toolbox)
        return (
            f"Docker {info['ServerVersion']}, API {api.api_version}, "
            f"{info['NCPU']} CPUs, {info['MemTotal'] / 2**30:.1f} GiB memory"
        )

    def _check_limits(self, info: Mapping[str, Any]) -> None:
        missing = [text for key, text in _NEEDED.items() if not info.get(key)]
        if missing:
            raise RefusedError(
                f"The Docker engine at {self.config.url} cannot limit "
                f"{' and '.join(missing)}; its kernel lacks the control groups.",
                reason="limits_missing",
            )

    def capabilities(self) -> frozenset[str]:
        able = {"pause", "events"}
        return frozenset(able | {DATABASES} if self.config.databases else able)

    def prepare(self) -> None:
        with self._calling(f"Network {self.config.network}") as api:
            if self._find_network(api) is None:
                api.create_network(**objects.make_network(self.config))
            self._require_network(api)

    def measure(self) -> Room:
        """By a container that ends at once: the engine itself does not say."""
        body = objects.make_measure(self.config)
        labels = [f"{name}={value}" for name, value in body["Labels"].items()]
        left = {"label": labels, "status": ["exited"]}
        with self._calling("The look at memory and disk") as api:
            # Of a process that was killed meanwhile.
            for row in api.containers(all=True, filters=left):
                _remove_container(api, row["Id"])
            made = api.create_container_from_config(body)["Id"]
            try:
                api.start(made)
                api.wait(made, timeout=self.config.timeout)
                text = _text(api.logs(made))
            finally:
                _remove_container(api, made)
        return objects.read_room(text)

    def _find_network(self, api: APIClient) -> dict[str, Any] | None:
        # A list, as an inspection would carry every container of the network.
        name = self.config.network
        found = [row for row in api.networks(names=[name]) if row["Name"] == name]
        return found[0] if found else None

    def _require_network(self, api: APIClient) -> None:
        """Refuse a network that is missing, foreign, or not isolated."""
        name, url = self.config.network, self.config.url
        network = self._find_network(api)
        if network is None:
            raise RefusedError(
                f"The network {name} is not on the server {url}; prepare the server.",
                reason="network_missing",
            )
        self._refuse_foreign(f"Network {name}", network["Labels"])
        fault = objects.network_fault(self.config, network)
        if fault:
            raise RefusedError(
                f"The network {name} on the server {url} {fault}; remove it and "
                "prepare the server again.",
                reason="network_differs",
            )

    # === TENANTS === #

    def ensure(self, spec: TenantSpec) -> None:
        uid, name = spec.uid, objects.container_name(spec.uid)
        body = objects.make_tenant(self.config, spec)
        if spec.database:
            self.ensure_database(spec.database)
        with self._calling(f"Container {name}") as api:
            found = self._find_as_wanted(api, name, uid, body, STOP_SECONDS)
            if found is None:
                self._require_network(api)
                self._ensure_volumes(api, uid, objects.config_volume(uid))
                api.create_container_from_config(body, name=name)
            self._bring_up(api, name, found, spec.files)

    def ensure_database(self, spec: DatabaseSpec) -> None:
        uid, name = spec.uid, objects.database_name(spec.uid)
        self._require_databases()
        body = objects.make_database(self.config, spec)
        kept = {
            name: objects.KIND_DATA,
            objects.database_socket_volume(uid): objects.KIND_SOCKET,
        }
        with self._calling(f"Database server {name}") as api:
            found = self._find_as_wanted(api, name, uid, body, DATABASE_STOP_SECONDS)
            if found is None:
                self._require_volume_of_databases(api)
                config = objects.database_config_volume(uid)
                self._ensure_volumes(api, uid, config, kept)
                api.create_container_from_config(body, name=name)
            self._bring_up(api, name, found, spec.files, objects.DATABASE_FILES)

    def _require_databases(self) -> None:
        if DATABASES not in self.capabilities():
            raise RefusedError(
                f"The server {self.config.url} cannot run tenants' own database "
                "servers: it has no volume in which the master finds them.",
                reason="no_databases",
            )

    def _require_volume_of_databases(self, api: APIClient) -> None:
        """Refuse a volume that is missing: the engine would make one that is closed."""
        name = self.config.databases
        if find(api.inspect_volume, name) is None:
            raise RefusedError(
                f"The volume {name} is not on the server {self.config.url}; start the "
                "stack there, which makes it, or name another one.",
                reason="no_databases",
            )

    def _find_as_wanted(
        self, api: APIClient, name: str, uid: str, body: Mapping[str, Any], seconds: int
    ) -> dict[str, Any] | None:
        """Our container of that name, with its limits; one made from another spec is
        removed first.
        """
        found = self._find_container(api, name, uid)
        if found is None:
            return None
        if _label(found, objects.LABEL_SPEC) != _label(body, objects.LABEL_SPEC):
            api.stop(name, timeout=seconds)
            _remove_container(api, name)
            return None
        limits = objects.read_limits(body["HostConfig"])
        if objects.read_limits(found["HostConfig"]) != limits:
            update_limits(api, name, limits)
        return found

    def _bring_up(
        self,
        api: APIClient,
        name: str,
        found: Mapping[str, Any] | None,
        files: Mapping[str, bytes],
        directory: str = CONFIG_DIRECTORY,
    ) -> None:
        status = found["State"]["Status"] if found else "created"
        if status in ("removing", "dead"):
            _remove_container(api, name)
            raise RetryableError(f"Container {name} is being removed.", reason="busy")
        if status == "created" and files:
            # Never started, so nobody knows whether its files were all laid.
            api.put_archive(name, directory, objects.make_archive(files))
        if status in ("created", "exited"):
            api.start(name)
        elif status == "paused":
            api.unpause(name)

    def _ensure_volumes(
        self,
        api: APIClient,
        uid: str,
        config: str,
        kept: Mapping[str, str] | None = None,
    ) -> None:
        """Make the volumes of a container that is not there: the state, if it has none,
        and a new one for its files, so that none of another spec is among them.

        :param kept: kinds of volumes by name, where it is not the state that is kept
        """
        if found := find(api.inspect_volume, config):
            self._refuse_foreign(f"Volume {config}", found["Labels"], uid)
            find(api.remove_volume, config)
        names = kept or {objects.state_volume(uid): objects.KIND_STATE}
        for name, kind in {**names, config: objects.KIND_CONFIG}.items():
            # The engine gives back one that exists, with its own labels.
            made = api.create_volume(
                **objects.make_volume(self.config.stack, uid, kind, name)
            )
            self._refuse_foreign(f"Volume {name}", made["Labels"], uid)

    def target(self, spec: TenantSpec) -> Target:
        return objects.target(self.config, spec)

    def spec_hash(self, spec: TenantSpec) -> str:
        return _label(objects.make_tenant(self.config, spec), objects.LABEL_SPEC)

    def observe(self, uid: str) -> Observation:
        name = objects.container_name(uid)
        with self._calling(f"Container {name}") as api:
            found = self._find_container(api, name, uid)
            if found is None:
                return Observation(uid, Phase.ABSENT)
            seen = _read_container(uid, found)
            if _has_own_database(found) and seen.phase in _UP:
                own = find(api.inspect_container, objects.database_name(uid))
                if not own or _read_inspection(own) not in _UP:
                    return dataclasses.replace(
                        seen, phase=Phase.FAILED, message=_NO_DATABASE
                    )
        return seen

    def list_tenants(self, *, thoroughly: bool = False) -> Iterator[Observation]:
        with self._calling("The list of tenants") as api:
            rows = api.containers(all=True, filters=self._filters())
        tenants = [row for row in rows if _kind(row) == objects.KIND_TENANT]
        databases = {
            row["Labels"][objects.LABEL_TENANT]
            for row in rows
            if _kind(row) == objects.KIND_DATABASE and _read_row(row).phase in _UP
        }
        return iter([self._look_closer(row, databases, thoroughly) for row in tenants])

    def _look_closer(
        self, row: Mapping[str, Any], databases: Container[str], thoroughly: bool
    ) -> Observation:
        """What a row does not tell: how often somebody who was started just now has
        ended before, who is ill from who was thawed a moment ago, and limits.

        :param databases: uids of those whose own database server runs
        """
        seen, young = _read_row(row, databases), _is_young(row)
        if seen.phase != Phase.FAILED and not young and not thoroughly:
            return seen
        closer = self.observe(seen.uid)
        return closer if young else dataclasses.replace(closer, restarts=None)

    def list_state(self) -> frozenset[str]:
        with self._calling("The list of volumes") as api:
            rows = api.volumes(filters=self._filters())["Volumes"] or ()
        return frozenset(
            row["Labels"][objects.LABEL_TENANT] for row in rows if _kind(row) in _STATE
        )

    def start(self, uid: str) -> None:
        with self._calling_existing(uid) as (api, name, status):
            if status == "paused":
                api.unpause(name)
            elif status != "running":
                api.start(name)
            _set_restarts(api, name, objects.RESTARTS)

    def stop(self, uid: str) -> None:
        name = objects.container_name(uid)
        with self._calling(f"Container {name}") as api:
            if self._find_container(api, name, uid):
                find(api.stop, name, timeout=STOP_SECONDS)

    def pause(self, uid: str) -> None:
        with self._calling_existing(uid) as (api, name, status):
            if status != "paused":
                self._require_running(name, status)
                # An engine that is restarted would start all who sleep at once.
                _set_restarts(api, name, "no")
                api.pause(name)

    def unpause(self, uid: str) -> None:
        with self._calling_existing(uid) as (api, name, status):
            if status == "paused":
                api.unpause(name)
            else:
                self._require_running(name, status)
            _set_restarts(api, name, objects.RESTARTS)

    @contextlib.contextmanager
    def _calling_existing(self, uid: str) -> Iterator[tuple[APIClient, str, str]]:
        name = objects.container_name(uid)
        with self._calling(f"Container {name}") as api:
            found = self._find_container(api, name, uid)
            if found is None:
                raise RefusedError(
                    f"There is no container {name} on the server {self.config.url}; "
                    "provision the tenant again.",
                    reason="absent",
                )
            yield api, name, found["State"]["Status"]

    def _require_running(self, name: str, status: str) -> None:
        if status != "running":
            raise RefusedError(
                f"Container {name} does not run ({status}); start it first.",
                reason="not_running",
            )

    def delete(self, uid: str, *, keep_data: bool) -> None:
        name = objects.container_name(uid)
        filters = self._filters(tenant=uid)
        with self._calling(f"Container {name}") as api:
            rows = api.containers(all=True, filters=filters)
            # The database server last: the others write to it to their end.
            for row in sorted(rows, key=lambda row: _kind(row) in _DATABASE):
                # It takes its socket away from where the master finds it.
                if keep_data or _kind(row) in _DATABASE:
                    find(api.stop, row["Id"], timeout=STOP_SECONDS)
                _remove_container(api, row["Id"])
            for row in api.volumes(filters=filters)["Volumes"] or ():
                if not (keep_data and _kind(row) in _STATE):
                    find(api.remove_volume, row["Name"])

    # === TASKS === #

    def start_task(self, uid: str, task: TaskSpec) -> None:
        name = objects.task_name(uid, task.key)
        with self._calling(f"Task {name}") as api:
            found = self._find_container(api, name, uid)
            if found is None:
                body = objects.make_task(self.config, uid, task)
                self._require_source(api, task)
                self._require_socket(api, task)
                for volume in task.volumes:
                    self._ensure_shared_volume(api, volume)
                if task.network:
                    self._require_network(api)
                self._ensure_volumes(api, uid, objects.task_volume(uid, task.key))
                api.create_container_from_config(body, name=name)
            if found is None or _never_ran(found):
                self._bring_up(api, name, None, task.files)

    def _require_source(self, api: APIClient, task: TaskSpec) -> None:
        """Refuse a source that is missing: the engine would make an empty one."""
        if not task.source:
            return
        volume = objects.state_volume(task.source)
        found = find(api.inspect_volume, volume)
        if found is None:
            raise RefusedError(
                f"The state of {task.source} is not on the server {self.config.url}; "
                "build the template there first.",
                reason="source_missing",
            )
        self._refuse_foreign(f"Volume {volume}", found["Labels"], task.source)

    def _require_socket(self, api: APIClient, task: TaskSpec) -> None:
        """Refuse a database server that is missing, as one would a source."""
        if not task.database:
            return
        volume = objects.database_socket_volume(task.database)
        found = find(api.inspect_volume, volume)
        if found is None:
            raise RefusedError(
                f"The database server of {task.database} is not on the server "
                f"{self.config.url}; start the tenant, which brings it back.",
                reason="source_missing",
            )
        self._refuse_foreign(f"Volume {volume}", found["Labels"], task.database)

    def _ensure_shared_volume(self, api: APIClient, name: str) -> None:
        """Have a volume that tasks share: ours, or one that an operator made."""
        found = find(api.inspect_volume, name)
        if found is None:
            found = api.create_volume(
                **objects.make_shared_volume(self.config.stack, name)
            )
        labels = found["Labels"] or {}
        if labels.get(objects.LABEL_STACK) is not None and (
            labels[objects.LABEL_STACK] != self.config.stack
            or labels.get(objects.LABEL_KIND) != objects.KIND_SHARED
        ):
            raise RefusedError(
                f"The volume {name} on the server {self.config.url} is no volume for "
                "copies: it belongs to a tenant or to the stack. Name another one.",
                reason="foreign",
            )

    def observe_task(self, uid: str, key: str) -> TaskObservation:
        name = objects.task_name(uid, key)
        with self._calling(f"Task {name}") as api:
            found = self._find_container(api, name, uid)
            if found is None or _never_ran(found):
                return TaskObservation(key, TaskPhase.ABSENT)
            log = find(api.logs, name, tail=TASK_LOG_LINES) or b""
        state = found["State"]
        if state["Status"] in ("running", "paused", "restarting"):
            return TaskObservation(key, TaskPhase.RUNNING, log=_text(log))
        code = state["ExitCode"]
        phase = TaskPhase.FAILED if code else TaskPhase.DONE
        notes = [_text(log).rstrip("\n"), state["Error"]]
        notes.append("Out of memory." if state["OOMKilled"] else "")
        text = "\n".join(note for note in notes if note)
        return TaskObservation(key, phase, code, text)

    def delete_task(self, uid: str, key: str) -> None:
        name, volume = objects.task_name(uid, key), objects.task_volume(uid, key)
        with self._calling(f"Task {name}") as api:
            if found := find(api.inspect_container, name):
                if not self._is_ours(found["Config"]["Labels"], uid):
                    return
                _remove_container(api, name)
            found = find(api.inspect_volume, volume)
            if found and self._is_ours(found["Labels"], uid):
                find(api.remove_volume, volume)

    # === WHAT IT SAYS === #

    def logs(self, uid: str, lines: int = 200) -> str:
        name = objects.container_name(uid)
        with self._calling(f"Container {name}") as api:
            if self._find_container(api, name, uid) is None:
                return ""
            return _text(find(api.logs, name, tail=lines) or b"")

    def events(self, since: float, until: float) -> Iterator[Event]:
        # Health checks are events too, of a kind that the engine leaves out here.
        filters = self._filters() | {"type": ["container"], "event": list(_EVENTS)}
        with translate_errors(self.config.url, "The list of events"):
            # A client of its own, as it is in use until then.
            api = make_client(self.config)
            ahead = _read_clock(api) - time.time()
            stream = api.events(
                since=f"{since + ahead:.6f}",
                until=f"{until + ahead:.6f}",
                filters=filters,
                decode=True,
            )
        return self._read_events(api, stream, until, ahead)

    def _read_events(
        self, api: APIClient, stream: Any, until: float, ahead: float
    ) -> Iterator[Event]:
        # An engine that vanishes without a word would be waited for for ever.
        seconds = max(until - time.time(), 0) + EVENTS_GRACE
        end = threading.Timer(seconds, stream.close)
        end.daemon = True
        end.start()
        try:
            with translate_errors(self.config.url, "The list of events"):
                for row in stream:
                    labels = row["Actor"]["Attributes"]
                    if labels.get(objects.LABEL_KIND) in _HEARD:
                        yield Event(
                            uid=labels[objects.LABEL_TENANT],
                            time=row["timeNano"] / 1e9 - ahead,
                        )
        finally:
            ended = end.is_alive()
            end.cancel()
            api.close()
        # The SDK takes a lost connection for the end.
        if not ended or time.time() < until - 1:
            raise RetryableError(
                f"The Docker engine at {self.config.url} tells no more events.",
                reason="unreachable",
            )

    # === WHAT IS OURS === #

    def _filters(self, **more: str) -> dict[str, list[str]]:
        return objects.make_filters(self.config.stack, **more)

    def _find_container(
        self, api: APIClient, name: str, uid: str
    ) -> dict[str, Any] | None:
        """Our container of that name, or None.

        :raise RefusedError: ``foreign``
        """
        found = find(api.inspect_container, name)
        if found is not None:
            self._refuse_foreign(f"Container {name}", found["Config"]["Labels"], uid)
        return found

    def _refuse_foreign(
        self, subject: str, labels: Mapping[str, str] | None, uid: str = ""
    ) -> None:
        if not self._is_ours(labels, uid):
            raise RefusedError(
                f"{subject} on the server {self.config.url} is not ours; it was left "
                "as it is. Rename or remove it.",
                reason="foreign",
            )

    def _is_ours(self, labels: Mapping[str, str] | None, uid: str = "") -> bool:
        labels = labels or {}
        return labels.get(objects.LABEL_STACK) == self.config.stack and (
            not uid or labels.get(objects.LABEL_TENANT) == uid
        )


def _remove_container(api: APIClient, name: str) -> None:
    # With the nameless volumes that the image asked for; ours have names and stay.
    find(api.remove_container, name, force=True, v=True)


def _set_restarts(api: APIClient, name: str, policy: str) -> None:
    """Have the engine start a container that ended by itself, or not."""
    api.update_container(name, restart_policy={"Name": policy})


def _label(container: Mapping[str, Any], name: str) -> str:
    """A label of an inspection or of the body that a container is made from."""
    labels = container.get("Config", container).get("Labels") or {}
    return str(labels.get(name, ""))


def _kind(row: Mapping[str, Any]) -> str:
    """Of a row of a list call."""
    return str(row["Labels"].get(objects.LABEL_KIND, ""))


def _has_own_database(found: Mapping[str, Any]) -> bool:
    """Whether a container, inspected or listed, was made beside a database server."""
    places = [mount["Destination"] for mount in found.get("Mounts") or ()]
    return DATABASE_DIRECTORY in places


def _never_ran(found: Mapping[str, Any]) -> bool:
    """Whether someone was interrupted between making a container and starting it."""
    state = found["State"]
    return state["Status"] == "created" and not state["Error"]


def _text(log: bytes) -> str:
    return log.decode(errors="replace")


_UP = (Phase.RUNNING, Phase.STARTING)
_HEARD = (objects.KIND_TENANT, objects.KIND_DATABASE)
_STATE = (objects.KIND_STATE, objects.KIND_DATA)
_DATABASE = (objects.KIND_DATABASE,)
_NO_DATABASE = "Its own database server does not run."


def _read_inspection(found: Mapping[str, Any]) -> Phase:
    return _read_state(found["State"], found.get("RestartCount", 0))[0]


def _read_container(uid: str, found: Mapping[str, Any]) -> Observation:
    """An observation from an inspection, which tells all that there is to know."""
    restarts = found.get("RestartCount", 0)
    phase, message = _read_state(found["State"], restarts)
    limits = _label(found, objects.LABEL_LIMITS)
    return Observation(
        uid,
        phase,
        _label(found, objects.LABEL_SPEC),
        message,
        restarts,
        # Older containers have no such label, and are believed.
        changed=limits not in ("", objects.limits_text(found["HostConfig"])),
    )


def _read_clock(api: APIClient) -> float:
    """What time it is for the engine."""
    return datetime.datetime.fromisoformat(api.info()["SystemTime"]).timestamp()


def _read_state(state: Mapping[str, Any], restarts: int) -> tuple[Phase, str]:
    """The phase and the message of an inspected container."""
    status, error = state["Status"], state["Error"]
    if status == "paused":
        return Phase.PAUSED, ""
    if status == "running":
        phase, message = _read_health(state.get("Health") or {})
        return phase, message or _tell_restart(state, restarts)
    if status == "restarting":
        memory = ", out of memory" if state["OOMKilled"] else ""
        return Phase.FAILED, (
            f"It ended with code {state['ExitCode']}{memory} and is started again "
            f"(restart {restarts})."
        )
    if error:
        return Phase.FAILED, f"It did not start: {error}"
    if status in ("dead", "removing"):
        return Phase.FAILED, "It is being removed."
    return Phase.STOPPED, ""


def _tell_restart(state: Mapping[str, Any], restarts: int) -> str:
    """Of one that runs again; the engine has forgotten with which code it ended."""
    if not restarts:
        return ""
    memory = " out of memory" if state["OOMKilled"] else ""
    return f"It ended{memory} and was started again (restart {restarts})."


def _read_health(health: Mapping[str, Any]) -> tuple[Phase, str]:
    status = health.get("Status", "")
    # Whoever was paused is called unhealthy, without a check that failed, until the
    # first check after it.
    if status == "starting" or (status == "unhealthy" and not health["FailingStreak"]):
        return Phase.STARTING, ""
    if status == "unhealthy":
        return Phase.FAILED, _last_check(health)
    return Phase.RUNNING, ""


def _last_check(health: Mapping[str, Any]) -> str:
    log = health.get("Log") or [{}]
    output = " ".join(str(log[-1].get("Output", "")).split())[:200]
    return f"It does not answer its health check: {output}".rstrip(": ")


def _is_young(row: Mapping[str, Any]) -> bool:
    """Whether it was started within the last minute or so, or ended just now."""
    return row["State"] == "restarting" or bool(_YOUNG.match(row["Status"]))


def _read_row(row: Mapping[str, Any], databases: Container[str] = ()) -> Observation:
    """An observation from a row of the list call, which tells health as text only.

    :param databases: uids of those whose own database server runs
    """
    labels = row["Labels"]
    phase, message = _ROW_PHASES.get(row["State"], Phase.STOPPED), ""
    if phase == Phase.RUNNING:
        if "(health: starting)" in row["Status"]:
            phase = Phase.STARTING
        elif "(unhealthy)" in row["Status"]:
            phase, message = Phase.FAILED, "It does not answer its health check"
    elif phase == Phase.FAILED:
        message = row["Status"]
    if (
        phase in _UP
        and _kind(row) == objects.KIND_TENANT
        and _has_own_database(row)
        and labels[objects.LABEL_TENANT] not in databases
    ):
        phase, message = Phase.FAILED, _NO_DATABASE
    return Observation(
        uid=labels[objects.LABEL_TENANT],
        phase=phase,
        spec_hash=labels.get(objects.LABEL_SPEC, ""),
        message=message,
    )


_YOUNG = re.compile(r"Up (Less than a second|\d+ seconds?|About a minute)\b")

_ROW_PHASES = {
    "running": Phase.RUNNING,
    "paused": Phase.PAUSED,
    "restarting": Phase.FAILED,
    "dead": Phase.FAILED,
    "removing": Phase.FAILED,
}
