"""A tenant with a PostgreSQL of its own: its whole life, and who reaches it."""

from __future__ import annotations

import pytest
import requests

from .copies import ATTACH, Inside, back_up, log_in
from .residents import run_python

# From within another tenant: is there a way to that server?
REACH = """
import json, pathlib
found = [str(path) for path in pathlib.Path("/run").rglob(".s.PGSQL.*")]
with open("/proc/net/unix") as file:
    found += [line for line in file if "PGSQL" in line]
print(json.dumps(found))
"""


class Own(Inside):
    """A tenant as one sees it from within, whose database is in a server of its own."""

    def psql(self, statement, database=None):
        """The lines that a statement of that server's superuser gives."""
        container = self.stack.engine.containers.get(f"saas-{self.uid}-postgres")
        result = container.exec_run(
            [
                *("psql", "-XAtq", "-h", "127.0.0.1", "-U", "postgres"),
                *("-d", database or self.uid, "-c", statement),
            ]
        )
        output = result.output.decode()
        assert result.exit_code == 0, output
        return output.splitlines()

    def attachments(self):
        return self.psql(
            "SELECT name, checksum, file_size FROM ir_attachment"
            " WHERE name LIKE 'e2e-%' ORDER BY name"
        )


@pytest.fixture
def tenant(master, make_tenant):
    [image] = master.search("saas.image", [], limit=1)
    plan = {"name": "Own PostgreSQL", "image_id": image, "own_database": True}
    plan["database_memory"] = 256
    number = make_tenant(plan_id=master.create("saas.plan", plan))
    master.provision(number)
    return number


def test_it_lives_with_its_own_postgresql_and_nothing_is_left_of_either(
    master, engine, stack, tenant, residents
):
    uid = master.read("saas.tenant", tenant, "uid")
    url = master.read("saas.tenant", tenant, "url")
    inside = Own(stack, uid)
    server = engine.containers.get(f"saas-{uid}-postgres")
    found = stack.take_inventory().of(uid)
    assert ("containers", f"saas-{uid}-postgres") in found
    assert not {sort for sort, _name in found} & {"databases", "roles"}
    log_in(master, tenant)
    assert uid in inside.psql("SELECT datname FROM pg_database")
    owner = inside.psql(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    )
    assert owner == [uid]

    # It is in no network, and in no other tenant there is a way to it.
    assert server.attrs["HostConfig"]["NetworkMode"] == "none"
    neighbour = residents[0].container
    assert run_python(neighbour, REACH) == []
    with pytest.raises(AssertionError, match="rejects connection"):
        # Not even from beside it, as whoever has the superuser's number.
        inside.run(
            "python3",
            "-c",
            "import psycopg2, sys; psycopg2.connect(host='/run/saas/postgres',"
            f" port={server_port(server)}, user='postgres', dbname='postgres')",
        )

    # A copy is made, proven, and brought back in place.
    inside.shell(ATTACH)
    attached = inside.attachments()
    backup = back_up(master, tenant)
    [drill] = master.call("saas.backup", "action_drill", backup)
    assert master.follow(drill) == "done"
    assert master.read("saas.backup", backup, "drill_state") == "passed"
    inside.psql("DELETE FROM ir_attachment WHERE name LIKE 'e2e-%'")
    assert master.run(tenant, "action_restore", backup) == ("done", False)
    assert inside.attachments() == attached

    # Lost by somebody's hand, it is brought back with what it held.
    server.remove(force=True)
    assert master.run(tenant, "action_restart") == ("done", False)
    assert inside.attachments() == attached

    # Archived, nothing is left of either; brought back, both are there again.
    state, message = master.run(tenant, "action_archive")
    assert state == "done", message
    assert not stack.take_inventory().of(uid)
    own = [("owner_tenant_id", "=", tenant)]
    assert not master.search("saas.database.server", own)
    state, message = master.run(tenant, "action_resume")
    assert state == "done", message
    assert inside.attachments() == attached
    assert requests.get(f"{url}/web/login", timeout=30).status_code == 200

    # Erased, too.
    assert master.run(tenant, "action_delete", True) == ("done", False)
    assert not stack.take_inventory().of(uid)
    assert not master.search("saas.database.server", own)
    left = stack.container("worker").exec_run(["ls", "-A", "/run/saas/databases"])
    assert not left.output.decode().split()


def server_port(server):
    environment = dict(item.split("=", 1) for item in server.attrs["Config"]["Env"])
    return int(environment["PGPORT"])
