"""What of ours is on the engine and in PostgreSQL, seen from outside the master."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Inventory:
    """Names of everything on the machine, ours or not."""

    containers: frozenset[str]
    volumes: frozenset[str]
    networks: frozenset[str]
    databases: frozenset[str]
    roles: frozenset[str]
    routes: frozenset[str]

    def of(self, uid):
        """What carries that uid, as (sort, name)."""
        return {
            (field.name, name)
            for field in dataclasses.fields(self)
            for name in getattr(self, field.name)
            if uid in name
        }


class Stack:
    """The stack of these tests."""

    def __init__(self, engine, name):
        self.engine = engine
        self.name = name

    def container(self, service):
        [found] = self.engine.containers.list(
            all=True,
            filters={
                "label": [
                    f"com.docker.compose.project={self.name}",
                    f"com.docker.compose.service={service}",
                ]
            },
        )
        return found

    def tenant_container(self, uid):
        return self.engine.containers.get(f"saas-{uid}")

    def sql(self, statement, database="postgres"):
        """Run a statement as PostgreSQL's superuser; the lines that came."""
        result = self.container("db").exec_run(
            ["psql", "-XAtq", "-d", database, "-c", statement], user="postgres"
        )
        output = result.output.decode()
        assert result.exit_code == 0, output
        return output.splitlines()

    def take_inventory(self):
        routes = self.container("proxy").exec_run(["ls", "/etc/traefik/routes"])
        return Inventory(
            containers=frozenset(
                container.name for container in self.engine.containers.list(all=True)
            ),
            volumes=frozenset(volume.name for volume in self.engine.volumes.list()),
            networks=frozenset(net.name for net in self.engine.networks.list()),
            databases=frozenset(self.sql("SELECT datname FROM pg_database")),
            roles=frozenset(self.sql("SELECT rolname FROM pg_roles")),
            routes=frozenset(routes.output.decode().split()),
        )
