"""What a server must be able to do: the contract of every driver.

Every call is synchronous, bounded by a time-out, and repeatable: it looks first and
does what is missing. No call waits for readiness; that is what ``observe`` is for.
What is absent when it should be deleted, or present when it should be created, is
success. ``RetryableError`` says "could not look" or "could not do it now", which is
never the same as "is not there".
"""

from __future__ import annotations

import dataclasses
import enum
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

STATE_DIRECTORY = "/var/lib/odoo"
"""Where a tenant's filestore and sessions lie; all that its container may write."""

CONFIG_DIRECTORY = "/etc/odoo"
"""Where the files of a spec lie in the container; the tenant can read but not write."""

SOURCE_DIRECTORY = "/mnt/source"
"""Where a task finds the state directory of its ``source``, read-only."""


DATABASE_DIRECTORY = "/run/saas/postgres"
"""Where a tenant, and its tasks, find the socket of its own database server."""

MASTER_DATABASES = "/run/saas/databases"
"""Where the master finds the sockets of all of them."""

DATABASES = "databases"
"""The capability to run database servers beside tenants."""


class Phase(enum.StrEnum):
    """What a container was seen to be."""

    ABSENT = "absent"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"


class TaskPhase(enum.StrEnum):
    """What a task was seen to be."""

    ABSENT = "absent"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use.

    :param int memory: bytes
    :param float cpus: cores
    :param int processes: processes and threads together
    """

    memory: int
    cpus: float
    processes: int = 200


@dataclasses.dataclass(frozen=True, slots=True)
class DatabaseSpec:
    """The database server that one tenant has for itself, beside its container.

    It is in no network: who may use it finds its socket, named by the port.

    :param str uid: the tenant's
    :param int port: unique on the server
    :param int connections: that it takes at once
    :param files: ``saas_provisioner``, the password of the master's role in it
    """

    uid: str
    image: str
    port: int
    limits: Limits
    connections: int
    files: Mapping[str, bytes] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class TenantSpec:
    """The container that a tenant should have.

    :param str uid: immutable id; names of container and volumes derive from it
    :param str image: reference of the image
    :param int slot: small number, unique on the server from 0 on; gives the address
    :param str host: main host name, as a label for people and for discovery; another
        one does not make another container
    :param files: name to content, laid in ``CONFIG_DIRECTORY``; may hold secrets
    :param environment: plain settings; never a secret, as inspection shows it
    :param bool evented: whether a process of its own takes websockets; says no more
        than where they go
    :param database: the database server beside it; None for one that others have too
    """

    uid: str
    image: str
    slot: int
    host: str
    limits: Limits
    files: Mapping[str, bytes] = dataclasses.field(repr=False)
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    evented: bool = False
    database: DatabaseSpec | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class TaskSpec:
    """A one-shot container beside the state of a tenant or template.

    :param str key: what it is for, e.g. ``seed``; same key, same task
    :param command: program and arguments; never a shell string, never a secret
    :param files: name to content, laid in ``CONFIG_DIRECTORY``; may hold secrets
    :param str | None source: uid whose state is readable at ``SOURCE_DIRECTORY``
    :param bool network: whether it may reach the database server
    :param str database: uid of whose own database server it may reach
    :param volumes: name to place of what it shares with other tasks, e.g. a store of
        copies; one that is not there is made, and outlives every tenant
    """

    key: str
    image: str
    command: tuple[str, ...]
    limits: Limits
    files: Mapping[str, bytes] = dataclasses.field(repr=False, default_factory=dict)
    source: str | None = None
    network: bool = False
    volumes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    database: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one tenant's container.

    :param str spec_hash: hash of the spec that it was made from, empty when absent
    :param bool changed: its limits are not those any more that it was made with
    :param str message: why it failed, for people; empty when there is nothing to say
    :param restarts: how often it ended by itself and was started again since it was
        last started on request; None where nobody looked, as it has run for minutes
    """

    uid: str
    phase: Phase
    spec_hash: str = ""
    message: str = ""
    restarts: int | None = None
    changed: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class TaskObservation:
    """What was seen of one task.

    :param str log: the last lines that it wrote
    """

    key: str
    phase: TaskPhase
    exit_code: int | None = None
    log: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Where a tenant's container answers, as its proxy sees it."""

    http: str
    websocket: str


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """What a server has, and what is left of it, in bytes.

    :param int memory_free: what further programs could get
    :param int disk: of where images, containers and volumes lie
    """

    memory: int
    memory_free: int
    disk: int
    disk_free: int


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a tenant's container; says no more than "look again"."""

    uid: str
    time: float


class Driver(ABC):
    """A server where tenants run."""

    @abstractmethod
    def check(self) -> str:
        """Look whether the server can be used.

        :return: one line about it (version, capacity) for people
        :raise RetryableError: it does not answer
        :raise RefusedError: it answers, but cannot be used; the message says why
        """

    @abstractmethod
    def capabilities(self) -> frozenset[str]:
        """What it can do beyond the contract's minimum, e.g. ``pause``, ``events``."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what all tenants share (the isolated network)."""

    @abstractmethod
    def measure(self) -> Room:
        """Look how much memory and disk the server has left.

        :raise RefusedError: ``image_missing``, where it needs one to look
        """

    @abstractmethod
    def ensure(self, spec: TenantSpec) -> None:
        """Make the tenant's container as the spec says, and have it started.

        One that was made from another spec is replaced; its state is kept. Limits that
        somebody changed are put back. A database server that the spec names is had
        first.

        :raise RefusedError: ``image_missing``, ``foreign`` (something that is not
            ours has the name; it is neither adopted nor removed) or ``no_room``
        """

    @abstractmethod
    def ensure_database(self, spec: DatabaseSpec) -> None:
        """Make a tenant's own database server as the spec says, and have it started.

        One that was made from another spec is replaced; its data are kept. From then
        on the tenant has failed where that does not run, whatever its container does.
        It runs until the tenant is deleted.

        :raise RefusedError: ``image_missing``, ``foreign``, or ``no_databases`` (the
            server does not have that capability)
        """

    @abstractmethod
    def target(self, spec: TenantSpec) -> Target:
        """Where the container of that spec answers, whether it exists yet or not."""

    @abstractmethod
    def spec_hash(self, spec: TenantSpec) -> str:
        """The hash that ``observe`` gives for a container made from that spec."""

    @abstractmethod
    def observe(self, uid: str) -> Observation:
        """What the tenant's container is; ABSENT only when it is certain.

        :raise RefusedError: ``foreign``, as do the verbs of power below
        """

    @abstractmethod
    def list_tenants(self, *, thoroughly: bool = False) -> Iterator[Observation]:
        """All tenants' containers that are ours, those unknown to the master too.

        Of those that were started within the last minute it tells their restarts.

        :param thoroughly: tell ``changed`` as well, which may take a call for each
        """

    @abstractmethod
    def list_state(self) -> frozenset[str]:
        """The uids whose state (volumes) lies on the server, orphans too.

        The data of a database server of its own are a tenant's state, too.
        """

    @abstractmethod
    def start(self, uid: str) -> None:
        """Start a stopped container; one that runs is left alone.

        :raise RefusedError: ``absent``
        """

    @abstractmethod
    def stop(self, uid: str) -> None:
        """Stop the container, giving it some seconds to finish; absent is success."""

    @abstractmethod
    def pause(self, uid: str) -> None:
        """Freeze the container; one that is paused is left alone.

        :raise RefusedError: ``absent`` or ``not_running``
        """

    @abstractmethod
    def unpause(self, uid: str) -> None:
        """Thaw the container; one that runs is left alone.

        :raise RefusedError: ``absent`` or ``not_running``
        """

    @abstractmethod
    def delete(self, uid: str, *, keep_data: bool) -> None:
        """Remove the container, its database server and its tasks, and, unless told to
        keep it, its state.

        What is not ours is left alone.
        """

    @abstractmethod
    def start_task(self, uid: str, task: TaskSpec) -> None:
        """Start a task on the state of ``uid``; one that has that key is left alone.

        :raise RefusedError: ``image_missing``, ``source_missing``, or ``foreign``
            (also for a volume that belongs to a tenant)
        """

    @abstractmethod
    def observe_task(self, uid: str, key: str) -> TaskObservation:
        """What became of a task."""

    @abstractmethod
    def delete_task(self, uid: str, key: str) -> None:
        """Remove a task, running or not; absent is success."""

    @abstractmethod
    def logs(self, uid: str, lines: int = 200) -> str:
        """The last lines that the tenant's container wrote; empty when absent."""

    @abstractmethod
    def events(self, since: float, until: float) -> Iterator[Event]:
        """What happens to tenants' containers, from one moment (seconds since epoch) to
        another; each is told as it happens, and a moment to come is waited for.

        Connected when it returns. Events may be missing, and may come twice.

        :raise RetryableError: while it is read, too: the connection was lost
        """
