"""Stand-ins that keep everything in memory, for tests; named by how they fail.

They keep the contracts of the real ones: the same tests run against both.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Self, TypeVar

from .driver import (
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
from .errors import EngineError, RefusedError, RetryableError
from .postgres import DatabaseServer, DatabaseServerConfig
from .proxy import Page, Proxy, Route

GIB = 2**30
EVENTS_INTERVAL = 0.01
_UP = (Phase.RUNNING, Phase.STARTING)

F = TypeVar("F", bound=Callable[..., Any])


def _verb(method: F) -> F:
    """Record the call, and give a failure mode its say before and after it."""

    @functools.wraps(method)
    def call(self: Recorder, *args: Any, **kwargs: Any) -> Any:
        name = method.__name__.removeprefix("_")
        subject = getattr(args[0], "uid", args[0]) if args else ""
        # Real ones do some of their work side by side.
        with self._lock:
            self.calls.append((name, subject))
            self._before(name)
            result = method(self, *args, **kwargs)
            self._after(name)
        return result

    return call  # type: ignore[return-value]


class Recorder:
    """Remembers the calls; failure modes override the two hooks.

    :param calls: (name of the method, uid or first argument), in order
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.calls: list[tuple[str, Any]] = []
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        """All but the lock, so that a test can take a copy of what another made."""
        return {key: value for key, value in vars(self).items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.RLock())

    def _before(self, name: str) -> None:
        """Called before anything is done."""

    def _after(self, name: str) -> None:
        """Called when all is done, before the caller hears of it."""

    def count(self, name: str) -> int:
        return sum(call == name for call, __ in self.calls)


# === FAILURE MODES === #


class Refusing(Recorder):
    """Refuses some verbs for good.

    :param verbs: names of methods
    """

    def __init__(
        self,
        *,
        verbs: tuple[str, ...] = ("check", "prepare", "ensure", "put_route", "clone"),
        reason: str = "refused",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.verbs = verbs
        self.reason = reason

    def _before(self, name: str) -> None:
        if name in self.verbs:
            raise RefusedError(f"It refuses to {name}.", reason=self.reason)
        super()._before(name)


class Flaky(Recorder):
    """Fails the first calls of each verb, then works.

    :param int failures: how many calls of each verb fail
    :param bool late: the work is done all the same and only its answer is lost
    """

    def __init__(self, *, failures: int = 1, late: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.failures = failures
        self.late = late

    def _before(self, name: str) -> None:
        super()._before(name)
        if not self.late:
            self._stumble(name)

    def _after(self, name: str) -> None:
        super()._after(name)
        if self.late:
            self._stumble(name)

    def _stumble(self, name: str) -> None:
        if self.count(name) <= self.failures:
            raise RetryableError(
                "The answer was lost on the way; try again.", reason="timeout"
            )


class Lost(Recorder):
    """Cannot be reached, until ``lost`` is set to False."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lost = True

    def _before(self, name: str) -> None:
        if self.lost:
            raise RetryableError(
                "It cannot be reached (connection refused); is it running?",
                reason="unreachable",
            )
        super()._before(name)


# === SERVERS === #


@dataclasses.dataclass(slots=True)
class FakeContainer:
    """One container; ``spec`` is None for one that is not ours."""

    spec: TenantSpec | None
    phase: Phase
    looks: int = 0
    restarts: int = 0
    changed: bool = False


@dataclasses.dataclass(slots=True)
class FakeDatabaseContainer:
    """A tenant's own database server; ``spec`` is None for one that is not ours.

    :param starts: how often one was started
    :param data: names of what it has written, which outlives it
    """

    spec: DatabaseSpec | None
    runs: bool = False
    starts: int = 0
    data: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(slots=True)
class FakeTask:
    spec: TaskSpec
    phase: TaskPhase
    exit_code: int | None
    log: str = ""


class FakeDriver(Recorder, Driver):
    """A server that works, and where everything is ready at once.

    :param images: what the server has; None for whatever is asked for
    :param containers: by uid, the foreign ones too
    :param state: what lies in each uid's state directory, by uid and path
    :param foreign: names of volumes that are not ours, as uids
    :param volumes: names of what tasks share
    :param databases: tenants' own database servers by uid
    :param takes_databases: whether there can be such
    :param outcomes: exit code by task key; None goes on forever, 0 when not given
    :param room: what is measured
    """

    def __init__(
        self,
        *,
        images: AbstractSet[str] | None = None,
        slots: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.images = images
        self.slots = slots
        self.prepared = False
        self.containers: dict[str, FakeContainer] = {}
        self.state: dict[str, dict[str, bytes]] = {}
        self.foreign: set[str] = set()
        self.volumes: set[str] = set()
        self.databases: dict[str, FakeDatabaseContainer] = {}
        self.takes_databases = True
        self.tasks: dict[tuple[str, str], FakeTask] = {}
        self.outcomes: dict[str, int | None] = {}
        self.happened: list[Event] = []
        self.room = Room(16 * GIB, 8 * GIB, 100 * GIB, 60 * GIB)

    @_verb
    def check(self) -> str:
        if not self.prepared:
            raise RefusedError(
                "The network is missing; prepare the server.", reason="network_missing"
            )
        return f"Fake server, {len(self.containers)} containers"

    @_verb
    def capabilities(self) -> frozenset[str]:
        able = {"pause", "events"}
        return frozenset(able | {DATABASES} if self.takes_databases else able)

    @_verb
    def prepare(self) -> None:
        self.prepared = True

    @_verb
    def measure(self) -> Room:
        return self.room

    @_verb
    def ensure(self, spec: TenantSpec) -> None:
        found = self._find(spec.uid)
        self._check_spec(spec)
        if spec.database:
            self.ensure_database(spec.database)
        if found and self._hash(found.spec) != self._hash(spec):
            del self.containers[spec.uid]
            found = None
        if found is None:
            self._make_state(spec.uid)
            found = FakeContainer(copy.deepcopy(spec), Phase.STOPPED)
            self.containers[spec.uid] = found
        found.changed = False
        if found.phase in (Phase.STOPPED, Phase.PAUSED):
            self._move(spec.uid, self._started())

    @_verb
    def ensure_database(self, spec: DatabaseSpec) -> None:
        if DATABASES not in self.capabilities():
            raise RefusedError(
                "The server cannot run tenants' own database servers.",
                reason="no_databases",
            )
        self._check_image(spec.image)
        found = self.databases.get(spec.uid)
        if found and found.spec is None:
            raise self._foreign(f"database server of {spec.uid}")
        if found is None:
            found = self.databases[spec.uid] = FakeDatabaseContainer(spec)
        if not found.runs or found.spec != spec:
            found.spec, found.runs = copy.deepcopy(spec), True
            found.starts += 1

    def _check_spec(self, spec: TenantSpec) -> None:
        self._check_image(spec.image)
        if not 0 <= spec.slot < self.slots:
            raise RefusedError(
                f"The network has room for {self.slots} tenants and is full; add "
                "another server.",
                reason="no_room",
            )

    def _check_image(self, image: str) -> None:
        if self.images is not None and image not in self.images:
            raise RefusedError(
                f"The image {image} is not on the server; build or load it there.",
                reason="image_missing",
            )

    def _make_state(self, uid: str) -> None:
        if uid in self.foreign:
            raise self._foreign(f"volume of {uid}")
        self.state.setdefault(uid, {})

    def _started(self) -> Phase:
        """The phase of a container that was just started."""
        return Phase.RUNNING

    @_verb
    def target(self, spec: TenantSpec) -> Target:
        self._check_spec(dataclasses.replace(spec, image=self._any_image(spec)))
        host = f"http://192.0.2.{spec.slot % 250 + 1}"
        port = 8072 if spec.evented else 8069
        return Target(http=f"{host}:8069", websocket=f"{host}:{port}")

    def _any_image(self, spec: TenantSpec) -> str:
        return next(iter(self.images), spec.image) if self.images else spec.image

    @_verb
    def spec_hash(self, spec: TenantSpec) -> str:
        return self._hash(spec)

    @staticmethod
    def _hash(spec: TenantSpec | None) -> str:
        if spec is None:
            return ""
        # The host is a label only: another one must not replace the container.
        values = (
            (spec.uid, spec.image, spec.slot, spec.limits),
            sorted(spec.files.items()),
            sorted(spec.environment.items()),
            spec.database is not None,
        )
        return hashlib.sha256(repr(values).encode()).hexdigest()[:32]

    @_verb
    def observe(self, uid: str) -> Observation:
        found = self._find(uid)
        if found is None:
            return Observation(uid, Phase.ABSENT)
        self._look(found)
        return self._observation(uid, found)

    def _observation(self, uid: str, found: FakeContainer) -> Observation:
        phase = found.phase
        message = "It ended and was started again." if found.restarts else ""
        if found.spec and found.spec.database and phase in _UP:
            own = self.databases.get(uid)
            if not (own and own.runs):
                phase, message = Phase.FAILED, "Its own database server does not run."
        spec_hash = self._hash(found.spec)
        restarts, changed = found.restarts, found.changed
        return Observation(uid, phase, spec_hash, message, restarts, changed)

    def _look(self, found: FakeContainer) -> None:
        found.looks += 1

    @_verb
    def list_tenants(self, *, thoroughly: bool = False) -> Iterator[Observation]:
        told = [
            self._observation(uid, found)
            for uid, found in self.containers.items()
            if found.spec
        ]
        if thoroughly:
            return iter(told)
        return iter([dataclasses.replace(one, changed=False) for one in told])

    @_verb
    def list_state(self) -> frozenset[str]:
        return frozenset(self.state.keys() | self.databases.keys())

    @_verb
    def start(self, uid: str) -> None:
        if self._existing(uid).phase in (Phase.STOPPED, Phase.PAUSED):
            self._move(uid, self._started())

    @_verb
    def stop(self, uid: str) -> None:
        found = self._find(uid)
        if found and found.phase != Phase.STOPPED:
            self._move(uid, Phase.STOPPED)

    @_verb
    def pause(self, uid: str) -> None:
        if self._existing_awake(uid).phase != Phase.PAUSED:
            self._move(uid, Phase.PAUSED)

    @_verb
    def unpause(self, uid: str) -> None:
        if self._existing_awake(uid).phase == Phase.PAUSED:
            self._move(uid, Phase.RUNNING)

    @_verb
    def delete(self, uid: str, *, keep_data: bool) -> None:
        found = self.containers.get(uid)
        if found and found.spec:
            del self.containers[uid]
            self._happen(uid)
        for key in [key for key in self.tasks if key[0] == uid]:
            del self.tasks[key]
        own = self.databases.get(uid)
        if own and own.spec:
            own.runs = False
        if not keep_data:
            self.state.pop(uid, None)
            if own and own.spec:
                del self.databases[uid]

    @_verb
    def start_task(self, uid: str, task: TaskSpec) -> None:
        if (uid, task.key) in self.tasks:
            return
        self._check_image(task.image)
        if task.source and task.source not in self.state:
            raise RefusedError(
                f"The state of {task.source} is not on the server; build the template "
                "there first.",
                reason="source_missing",
            )
        if task.database and task.database not in self.databases:
            raise RefusedError(
                f"The database server of {task.database} is not on the server; start "
                "the tenant, which brings it back.",
                reason="source_missing",
            )
        if owned := task.volumes.keys() & {self.state_volume(u) for u in self.state}:
            raise self._foreign(f"volume {min(owned)}")
        self._make_state(uid)
        self.volumes |= task.volumes.keys()
        code = self.outcomes.get(task.key, 0)
        phase = TaskPhase.RUNNING if code is None else TaskPhase.DONE
        self.tasks[uid, task.key] = FakeTask(
            task, TaskPhase.FAILED if code else phase, code
        )

    @_verb
    def observe_task(self, uid: str, key: str) -> TaskObservation:
        task = self.tasks.get((uid, key))
        if task is None:
            return TaskObservation(key, TaskPhase.ABSENT)
        return TaskObservation(key, task.phase, task.exit_code, task.log)

    @_verb
    def delete_task(self, uid: str, key: str) -> None:
        self.tasks.pop((uid, key), None)

    @_verb
    def logs(self, uid: str, lines: int = 200) -> str:
        return "started\n" if self._find(uid) else ""

    @_verb
    def events(self, since: float, until: float) -> Iterator[Event]:
        return self._follow(since, until)

    def _follow(self, since: float, until: float) -> Iterator[Event]:
        told = 0
        while True:
            # Before looking, so that the last ones are told too.
            over = time.time() >= until
            happened = self.happened[told:]
            told += len(happened)
            yield from (e for e in happened if since <= e.time <= until)
            if over:
                return
            time.sleep(EVENTS_INTERVAL)

    # === FOR TESTS === #

    def put_foreign(self, uid: str) -> None:
        """Have something that is not ours carry the name of that uid's container."""
        self.containers[uid] = FakeContainer(None, Phase.RUNNING)

    def lose(self, uid: str) -> None:
        """Have the container vanish, as by somebody's hand."""
        self.containers.pop(uid, None)
        self._happen(uid)

    def set_phase(self, uid: str, phase: Phase) -> None:
        """Have something happen to the container."""
        self._move(uid, phase)

    def crash(self, uid: str, times: int = 1) -> None:
        """Have the container end by itself, and be started again, so many times."""
        self.containers[uid].restarts += times
        self._happen(uid)

    def change_limits(self, uid: str) -> None:
        """Have somebody give the container other limits than it was made with."""
        self.containers[uid].changed = True
        self._happen(uid)

    @staticmethod
    def state_volume(uid: str) -> str:
        """What the volume of a tenant's state would be called."""
        return f"state of {uid}"

    # === HELPERS === #

    def _move(self, uid: str, phase: Phase) -> None:
        self.containers[uid].phase = phase
        self.containers[uid].looks = 0
        self.containers[uid].restarts = 0
        self._happen(uid)

    def _happen(self, uid: str) -> None:
        self.happened.append(Event(uid, time.time()))

    def _find(self, uid: str) -> FakeContainer | None:
        found = self.containers.get(uid)
        if found and found.spec is None:
            raise self._foreign(f"container of {uid}")
        return found

    def _existing(self, uid: str) -> FakeContainer:
        found = self._find(uid)
        if found is None:
            raise RefusedError(
                f"There is no container of {uid}; provision the tenant again.",
                reason="absent",
            )
        return found

    def _existing_awake(self, uid: str) -> FakeContainer:
        found = self._existing(uid)
        if found.phase == Phase.STOPPED:
            raise RefusedError(
                f"The container of {uid} does not run; start it first.",
                reason="not_running",
            )
        return found

    @staticmethod
    def _foreign(what: str) -> EngineError:
        return RefusedError(
            f"The {what} is not ours; it was left as it is. Rename or remove it.",
            reason="foreign",
        )


class SlowDriver(FakeDriver):
    """Containers are ready after they were looked at some times.

    :param int looks: how many looks find it starting
    """

    def __init__(self, *, looks: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.looks = looks

    def _started(self) -> Phase:
        return Phase.STARTING

    def _look(self, found: FakeContainer) -> None:
        super()._look(found)
        if found.phase == Phase.STARTING and found.looks > self.looks:
            found.phase = Phase.RUNNING


class NeverReadyDriver(FakeDriver):
    """Containers start and never become ready."""

    def _started(self) -> Phase:
        return Phase.STARTING


class RefusingDriver(Refusing, FakeDriver):
    """A server that refuses what it is asked to make."""


class FlakyDriver(Flaky, FakeDriver):
    """A server whose answers get lost now and then."""


class LostDriver(Lost, FakeDriver):
    """A server that cannot be reached."""


# === PROXIES === #


class FakeProxy(Recorder, Proxy):
    """A proxy that works.

    :param routes: by uid
    :param unknown_pages: what addresses say that nobody has
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.routes: dict[str, Route] = {}
        self.unknown_pages: tuple[Page, ...] = ()

    @_verb
    def check(self) -> str:
        return f"Fake proxy, {len(self.routes)} routes"

    @_verb
    def put_route(self, route: Route) -> None:
        self.routes[route.uid] = route

    @_verb
    def delete_route(self, uid: str) -> None:
        self.routes.pop(uid, None)

    @_verb
    def find_route(self, uid: str) -> Route | None:
        return self.routes.get(uid)

    @_verb
    def list_routes(self) -> dict[str, Route]:
        return dict(self.routes)

    @_verb
    def list_versions(self) -> dict[str, str]:
        return {uid: repr(route) for uid, route in self.routes.items()}

    @_verb
    def put_unknown_pages(self, pages: tuple[Page, ...]) -> None:
        self.unknown_pages = pages


class RefusingProxy(Refusing, FakeProxy):
    """A proxy that refuses routes."""


class FlakyProxy(Flaky, FakeProxy):
    """A proxy whose answers get lost now and then."""


class LostProxy(Lost, FakeProxy):
    """A proxy that cannot be reached."""


# === DATABASE SERVERS === #


@dataclasses.dataclass(slots=True)
class FakeRole:
    """One role; ``ours`` is False for somebody else's."""

    password: str | None = dataclasses.field(default=None, repr=False)
    connection_limit: int = -1
    login: bool = True
    ours: bool = True


@dataclasses.dataclass(slots=True)
class FakeDatabase:
    """One database.

    :param objects_of: the role that owns what is in it
    :param holds: uid of the database whose content it was given in exchange
    """

    owner: str
    objects_of: str
    sealed: bool = False
    template: str = ""
    holds: str = ""
    statements: list[tuple[str, Any]] = dataclasses.field(default_factory=list)


_ANSWERS: tuple[tuple[str, Callable[[Any], list[tuple[Any, ...]]]], ...] = (
    ("FROM pg_class", lambda parameters: [(name,) for name in parameters[0]]),
    ("FROM pg_attribute", lambda parameters: [(1,)]),
    ("FROM res_company", lambda parameters: [(1, 1)]),
    ("FROM res_country", lambda parameters: [(1,)]),
    ("FROM res_currency", lambda parameters: [(2, False)]),
    ("FROM account_move_line", lambda parameters: [(False,)]),
    ("RETURNING partner_id", lambda parameters: [(3,)]),
)
"""What a database that looks like an Odoo's says: every table is there."""


class FakeCursor:
    """Takes every statement down, and answers as a new Odoo's database would."""

    rowcount = 1

    def __init__(self, connection: FakeConnection) -> None:
        self.connection = connection
        self._rows: list[tuple[Any, ...]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Leave nothing open."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchall())

    def execute(self, statement: Any, parameters: Any = None) -> None:
        text = str(statement)
        self.connection.statements.append((text, parameters))
        answers = (answer for part, answer in _ANSWERS if part in text)
        self._rows = next(answers, lambda __: [])(parameters)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows


class FakeConnection:
    """A connection to a fake database.

    :param statements: what was executed, with its parameters
    """

    def __init__(self, statements: list[tuple[str, Any]]) -> None:
        self.statements = statements

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Commit; there is nothing to take back."""

    def cursor(self) -> FakeCursor:
        return FakeCursor(self)


class FakeDatabaseServer(Recorder, DatabaseServer):
    """A database server that works.

    :param roles: by name, somebody else's too
    :param databases: by name, somebody else's too
    """

    MASTER = "saas_provisioner"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = DatabaseServerConfig(
            host="db.invalid",
            port=5432,
            user=self.MASTER,
            password="",
            tenant_host="192.0.2.254",
            tenant_port=5432,
        )
        self.prepared = False
        self.roles: dict[str, FakeRole] = {}
        self.databases: dict[str, FakeDatabase] = {}

    @_verb
    def check(self) -> str:
        if not self.prepared:
            raise RefusedError(
                "Every role may connect to postgres; prepare the server.", reason="open"
            )
        return f"Fake database server, {len(self.databases)} databases"

    @_verb
    def prepare(self) -> None:
        self.prepared = True

    @_verb
    def ensure_role(
        self, uid: str, password: str, connection_limit: int, *, login: bool = True
    ) -> None:
        role = self._role(uid)
        if role is None:
            role = self.roles[uid] = FakeRole()
        if not self._is_sealed(uid):
            role.password, role.login = password, login
            role.connection_limit = connection_limit

    @_verb
    def create_database(self, uid: str) -> None:
        self._require_role(uid)
        if self._database(uid) is None:
            self.databases[uid] = FakeDatabase(owner=uid, objects_of=uid)

    @_verb
    def seal_template(self, uid: str) -> None:
        role, database = self._require_role(uid), self._require_database(uid)
        role.login, role.password = False, None
        database.owner, database.sealed = self.MASTER, True

    @_verb
    def clone(self, template_uid: str, uid: str) -> None:
        self._require_database(template_uid)
        if not self._is_sealed(template_uid):
            raise RefusedError(
                f"Template {template_uid} is not sealed. Build it again.",
                reason="not_sealed",
            )
        self._require_role(uid)
        if self._database(uid) is None:
            self.databases[uid] = FakeDatabase(
                owner=uid, objects_of=uid, template=template_uid
            )

    @_verb
    def exchange(self, uid: str, other: str, *, exchanged: bool) -> None:
        for name in (uid, other):
            self._require_role(name)
            if self._database(name) is None:
                raise RefusedError(
                    f"Database {name} does not exist.", reason="database_missing"
                )
        one, two = self.databases[uid], self.databases[other]
        if (one.holds == other) != exchanged:
            self.databases[uid], self.databases[other] = two, one
            two.holds, one.holds = other if exchanged else "", ""
            for name in (uid, other):
                database = self.databases[name]
                database.owner = database.objects_of = name

    @_verb
    def drop_database(self, uid: str) -> None:
        if self._database(uid):
            del self.databases[uid]

    @_verb
    def drop_role(self, uid: str) -> None:
        if self._role(uid):
            database = self.databases.get(uid)
            if database and database.owner == uid:
                raise RetryableError(
                    f"Role {uid} still owns its database.", reason="in_use"
                )
            del self.roles[uid]

    @_verb
    def list_databases(self) -> dict[str, int]:
        return {
            uid: 20_000_000
            for uid, database in self.databases.items()
            if self._is_ours(uid, database)
        }

    @_verb
    def list_roles(self) -> frozenset[str]:
        return frozenset(uid for uid, role in self.roles.items() if role.ours)

    @_verb
    @contextlib.contextmanager
    def connect(  # type: ignore[override]
        self, uid: str, password: str | None = None
    ) -> Iterator[FakeConnection]:
        database = self._require_database(uid)
        if database.sealed:
            raise RefusedError("The database is a template.", reason="sealed")
        role = self.roles[uid]
        if password is not None and (password != role.password or not role.login):
            raise RefusedError(f"The password of {uid} is wrong.", reason="credentials")
        yield FakeConnection(database.statements)

    # === FOR TESTS === #

    def put_foreign_role(self, uid: str) -> None:
        self.roles[uid] = FakeRole(ours=False)

    def put_foreign_database(self, uid: str) -> None:
        self.databases[uid] = FakeDatabase(owner="somebody", objects_of="somebody")

    def statements(self, uid: str) -> list[str]:
        """What was run in that database through ``connect``, in order."""
        return [statement for statement, __ in self.databases[uid].statements]

    # === HELPERS === #

    def _is_ours(self, uid: str, database: FakeDatabase) -> bool:
        role = self.roles.get(uid)
        return bool(role and role.ours and database.owner in (uid, self.MASTER))

    def _is_sealed(self, uid: str) -> bool:
        database = self._database(uid)
        return bool(database and database.sealed)

    def _role(self, uid: str) -> FakeRole | None:
        role = self.roles.get(uid)
        if role and not role.ours:
            raise self._foreign("role", uid)
        return role

    def _database(self, uid: str) -> FakeDatabase | None:
        database = self.databases.get(uid)
        self._role(uid)
        if database and not self._is_ours(uid, database):
            raise self._foreign("database", uid)
        return database

    def _require_role(self, uid: str) -> FakeRole:
        role = self._role(uid)
        if role is None:
            raise RefusedError(
                f"Role {uid} does not exist. Make it before its database.",
                reason="role_missing",
            )
        return role

    def _require_database(self, uid: str) -> FakeDatabase:
        database = self._database(uid)
        if database is None:
            raise RefusedError(
                f"Database {uid} does not exist. Build it first.",
                reason="template_missing",
            )
        return database

    @staticmethod
    def _foreign(kind: str, uid: str) -> EngineError:
        return RefusedError(
            f"A {kind} named {uid} is not ours. It is left as it is; rename or remove "
            "it by hand, or choose another server.",
            reason="foreign",
        )


class RefusingDatabaseServer(Refusing, FakeDatabaseServer):
    """A database server that refuses what it is asked to make."""


class FlakyDatabaseServer(Flaky, FakeDatabaseServer):
    """A database server whose answers get lost now and then."""


class LostDatabaseServer(Lost, FakeDatabaseServer):
    """A database server that cannot be reached."""
