"""The master's database: made once, updated when our addons have changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from . import images
from .compose import Compose
from .rpc import DATABASE, Master
from .settings import Settings
from .shell import Shell, StackError

HASH_PARAMETER = "saas.setup_hash"
CACHE_STACK = "saas-cache"
SNAPSHOTS_VOLUME = "saas-cache-master"
SNAPSHOTS = "/var/cache/saas"
SETUP = "saas-setup"
GATEWAY_PORT = 8070
MAIL_PORT = 1025


def wanted_hash(settings: Settings, shell: Shell) -> str:
    """A hash over all that the database is set up from; the image holds the addons."""
    image = images.label(shell, "saas-master:latest", images.HASH_LABEL)
    values = json.dumps([image, setup_values(settings)], sort_keys=True)
    return hashlib.sha256(values.encode()).hexdigest()


def stored_hash(shell: Shell, database_container: str) -> str:
    """The hash that the database was set up from; empty when it was not (yet)."""
    return _sql(
        shell,
        database_container,
        "SELECT value FROM ir_config_parameter WHERE key = :'key'",
        key=HASH_PARAMETER,
    )


def store_hash(shell: Shell, database_container: str, value: str) -> None:
    """Note from what the database was set up, once that is over."""
    _sql(
        shell,
        database_container,
        "INSERT INTO ir_config_parameter (key, value) VALUES (:'key', :'value')"
        " ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
        key=HASH_PARAMETER,
        value=value,
    )


def _sql(shell: Shell, container: str, statement: str, **values: str) -> str:
    psql = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--quiet"]
    for name, value in values.items():
        psql += ["--set", f"{name}={value}"]
    return shell.docker(
        *("exec", "--interactive", "--user", "postgres", container, *psql),
        *("--dbname", DATABASE, "--file", "-"),
        stdin=statement,
        check=False,
    )


def ensure(
    settings: Settings, shell: Shell, compose: Compose, note: Callable[[str], None]
) -> bool:
    """Have the master's database as addons and settings say; whether it was changed.

    :raise StackError: the addons cannot be installed
    """
    database = compose.container("db")
    wanted = wanted_hash(settings, shell)
    if stored_hash(shell, database) == wanted:
        note("as it should be")
        return False
    note("installing the addons")
    told = {**setup_values(settings), "snapshot": snapshot(settings, shell)}
    # Two Odoo processes must not load modules at once: none serves meanwhile.
    compose.run("stop", "web", "worker", failure="The master cannot be stopped.")
    compose.run(
        *("run", "--rm", "-T", "--no-deps", *_snapshots(settings, shell)),
        *("worker", SETUP),
        # By standard input: environments and arguments can be read by others.
        stdin=json.dumps(told) + "\n",
        failure="The master's database cannot be set up; the lines below say why.",
    )
    store_hash(shell, database, wanted)
    if stored_hash(shell, database) != wanted:
        raise StackError(
            "The master's database was set up but cannot be read: see make logs."
        )
    note("addons installed")
    return True


def snapshot(settings: Settings, shell: Shell) -> str:
    """Where stacks of the tests keep what this very image has installed."""
    image = images.label(shell, "saas-master:latest", images.HASH_LABEL)
    return f"{SNAPSHOTS}/{image}" if settings.has_snapshots else ""


def _snapshots(settings: Settings, shell: Shell) -> list[str]:
    """How the set-up comes to the snapshots; they outlive the stack."""
    if not settings.has_snapshots:
        return []
    label = f"saas.stack={CACHE_STACK}"
    shell.docker("volume", "create", "--label", label, SNAPSHOTS_VOLUME)
    return ["--volume", f"{SNAPSHOTS_VOLUME}:{SNAPSHOTS}"]


def setup_values(settings: Settings) -> dict[str, object]:
    """What the set-up in the master's image is told, its one secret included."""
    return {
        "admin_password": settings.admin_password,
        "base_url": settings.url,
        "bridge": settings["SAAS_TENANT_BRIDGE"],
        "databases": f"{settings.stack}_databases",
        "docker_url": "unix:///var/run/docker.sock",
        "first_server": settings.has_first_server,
        "languages": [code for code in settings["SAAS_LANGUAGES"].split(",") if code],
        "mail_host": "mail" if settings.has_mailbox else "",
        "mail_port": MAIL_PORT,
        "gateway_url": f"http://{settings.control_address(13)}:{GATEWAY_PORT}",
        "host": settings.host,
        "network": settings.tenant_network,
        "proxy": settings.proxy_values(),
        "proxy_url": f"http://{settings.control_address(1)}:{settings.port}",
        "stack": settings.stack,
        "subnet": settings["SAAS_TENANT_SUBNET"],
        "tenant_domain": settings["SAAS_TENANT_DOMAIN"],
        "tenant_gateway": settings.tenant_gateway,
    }


def build_templates(master: Master, follow: Callable[[Master, int], None]) -> str:
    """Have the templates of the plans' images built; what came of it in one line.

    One that cannot be built stands in nobody's way: whoever wants it is told why.
    """
    plans = master.execute("saas.plan", "search_read", [], ["image_id"])
    images = sorted({plan["image_id"][0] for plan in plans})
    drafts = master.search(
        "saas.template", [["state", "!=", "ready"], ["image_id", "in", images]]
    )
    failures = []
    for template in drafts:
        operations = as_ids(master.execute("saas.template", "action_build", [template]))
        try:
            for operation in operations:
                follow(master, operation)
        except StackError as error:
            failures.append(error.message)
    built = len(drafts) - len(failures)
    return "; ".join([f"{built} built" if drafts else "ready", *failures])


def as_ids(answer: object) -> list[int]:
    """The ids in what an action answered: a list, or one of them."""
    return list(answer) if isinstance(answer, (list, tuple)) else [int(str(answer))]
