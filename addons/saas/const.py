"""The tables that the life of a tenant follows: kinds, states, who may do what when."""

import dataclasses

# === KINDS OF OPERATIONS === #


@dataclasses.dataclass(frozen=True)
class Kind:
    """One sort of operation.

    :param tuple steps: names of the steps in order; each is a method
        ``_step_<name>`` of the tenant or template
    :param bool exclusive: it changes the tenant, so only one runs at a time
    :param bool persistent: it is tried until it succeeds, as giving up would leave
        something lying about; the name of a step: from that step on
    """

    label: str
    steps: tuple[str, ...]
    exclusive: bool = True
    persistent: bool | str = False

    def is_persistent_at(self, step):
        if isinstance(self.persistent, bool):
            return self.persistent
        return self.steps.index(step) >= self.steps.index(self.persistent)


KINDS = {
    "build": Kind("Build", ("build_place", "build_start", "build_wait", "seal")),
    "discard": Kind("Discard", ("discard_files", "discard_database"), persistent=True),
    "provision": Kind(
        "Provision",
        (
            "place",
            "template",
            "closed_role",
            "database",
            "identity",
            "files",
            "open",
            "route",
            "container",
            "ready",
        ),
    ),
    "undo": Kind(
        "Clean up",
        ("unroute", "remove_container", "remove_database", "remove_role", "release"),
        persistent=True,
    ),
    "start": Kind("Start", ("route", "container", "ready")),
    "stop": Kind("Stop", ("page", "stop")),
    "restart": Kind("Restart", ("stop", "route", "container", "ready")),
    "sleep": Kind("Sleep", ("doze", "pause")),
    "rest": Kind("Rest", ("rest",)),
    "wake": Kind("Wake", ("container", "route", "ready")),
    "suspend": Kind("Suspend", ("page", "stop")),
    "resume": Kind("Resume", ("route", "container", "ready")),
    "delete": Kind("Delete", ("page", "stop"), persistent=True),
    "archive": Kind(
        "Archive",
        (
            "unroute",
            "stop",
            "put_away",
            "remove_container",
            "remove_database",
            "remove_role",
            "release",
        ),
        persistent="remove_container",
    ),
    "erase": Kind(
        "Erase",
        (
            "unroute",
            "remove_container",
            "remove_database",
            "remove_role",
            "release",
            "forget",
        ),
        persistent=True,
    ),
    "rename": Kind("Rename", ("lead", "address"), persistent=True),
    "domains": Kind("Change the domains", ("lead", "address"), persistent=True),
    "logs": Kind("Read the log", ("read_log",), exclusive=False),
    "login": Kind("Log in", (), exclusive=False),
}

# What can be asked of many tenants at once.
BATCH_KINDS = (
    "provision",
    "start",
    "stop",
    "restart",
    "sleep",
    "wake",
    "suspend",
    "resume",
    "delete",
    "archive",
    "erase",
)

OPERATION_STATES = {
    "pending": "Pending",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "refused": "Refused",
    "cancelled": "Cancelled",
}
UNFINISHED = ("pending", "running")
TROUBLED = ("failed", "refused")

MAX_ATTEMPTS = 8
MAX_BACKOFF = 60  # seconds between two tries
REFUSED_BACKOFF = 600  # seconds, where a persistent kind was refused
TROUBLED_ATTEMPTS = 3  # tries after which people should look

# What the master asks for by itself after something else failed.
CLEAN_UPS = {"undo", "discard"}

# What a newer request replaces as long as it has not begun.
SUPERSEDABLE = (
    "provision",
    "start",
    "stop",
    "restart",
    "sleep",
    "rest",
    "wake",
    "suspend",
    "resume",
    "delete",
    "archive",
)

# What leaves alone what was asked for before: it changes where a tenant is found, and
# not what it does.
ADDRESS_KINDS = ("rename", "domains")

# === STATES OF A TENANT === #

WANTED = {
    "nothing": "Nothing yet",
    "running": "Running",
    "sleeping": "Sleeping",
    "stopped": "Stopped",
    "deleted": "Deleted",
}

OBSERVED = {
    "unknown": "Not looked at yet",
    "absent": "Absent",
    "starting": "Starting",
    "running": "Running",
    "paused": "Paused",
    "stopped": "Stopped",
    "failed": "Failed",
}

TENANT_STATES = {
    "draft": "Draft",
    "provisioning": "Provisioning",
    "running": "Running",
    "sleeping": "Sleeping",
    "stopped": "Stopped",
    "suspended": "Suspended",
    "deleting": "Deleting",
    "archived": "Archived",
    "deleted": "Deleted",
    "failed": "Failed",
}

STATES_BY_URGENCY = (
    "failed",
    "stopped",
    "suspended",
    "provisioning",
    "running",
    "sleeping",
    "draft",
    "deleting",
    "archived",
    "deleted",
)

# A tenant's state is the first row whose facts all hold; nobody writes it.
STATE_RULES = (
    ("deleted", {"erased": True}),
    ("archived", {"archived": True}),
    ("deleting", {"wanted": ("deleted",)}),
    ("draft", {"wanted": ("nothing",)}),
    ("failed", {"provisioned": False, "troubled": True}),
    ("provisioning", {"provisioned": False}),
    ("suspended", {"held": True}),
    ("stopped", {"wanted": ("stopped",)}),
    ("sleeping", {"wanted": ("sleeping",)}),
    ("running", {"observed": ("running", "starting", "unknown")}),
    ("stopped", {}),
)


def compute_state(facts):
    """Return the tenant's state that follows from its facts.

    :param dict facts: ``erased``, ``archived``, ``provisioned``, ``troubled``,
        ``held`` (booleans), ``wanted`` and ``observed`` (words of the tables above)
    """
    for state, conditions in STATE_RULES:
        if all(_holds(facts[name], expected) for name, expected in conditions.items()):
            return state
    raise AssertionError("the last rule holds always")


def _holds(fact, expected):
    return fact in expected if isinstance(expected, tuple) else fact is expected


# From which states an operation may be asked for, and where it leads. The diagram in
# the documentation is drawn from this table.
TRANSITIONS = {
    "provision": (("draft", "failed"), "running"),
    "start": (("stopped", "sleeping", "running"), "running"),
    "stop": (("running", "sleeping", "stopped"), "stopped"),
    "restart": (("running", "sleeping", "stopped"), "running"),
    "sleep": (("running", "sleeping"), "sleeping"),
    "wake": (("sleeping", "running"), "running"),
    "suspend": (("running", "sleeping", "stopped", "suspended"), "suspended"),
    "resume": (("suspended", "deleting", "archived"), "running"),
    "delete": (
        (
            "running",
            "sleeping",
            "stopped",
            "suspended",
            "deleting",
        ),
        "deleting",
    ),
    "archive": (
        ("running", "sleeping", "stopped", "suspended", "deleting"),
        "archived",
    ),
    "erase": (
        (
            "draft",
            "failed",
            "provisioning",
            "running",
            "sleeping",
            "stopped",
            "suspended",
            "deleting",
            "archived",
        ),
        "deleted",
    ),
}

# === HOLDS === #

HOLD_KINDS = {
    "unpaid": "Unpaid",
    "quota": "Over quota",
    "abuse": "Abuse",
    "paused": "Paused",
    "staff": "By staff",
}

# === DOMAINS === #

QUARANTINE_DAYS = 90
MOST_DOMAINS = 20  # that a customer may bring to one tenant

# In which an address may be changed; else there is nothing that it could lead to.
ADDRESSED = ("running", "sleeping", "stopped", "suspended")
