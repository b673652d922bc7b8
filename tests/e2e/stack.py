"""What of ours is on the engine and in PostgreSQL, seen from outside the master."""

from __future__ import annotations

import dataclasses
import re

NAMELESS = re.compile("[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Inventory:
    """Names of everything on the machine that is not another stack's of ours."""

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
            containers=self._names(
                self.engine.containers.list(all=True, ignore_removed=True)
            ),
            volumes=self._names(self.engine.volumes.list()),
            networks=self._names(self.engine.networks.list()),
            databases=frozenset(self.sql("SELECT datname FROM pg_database")),
            roles=frozenset(self.sql("SELECT rolname FROM pg_roles")),
            routes=frozenset(routes.output.decode().split()),
        )

    def _names(self, objects):
        """Names of these objects of the engine.

        Other tests run beside these: what they make has the label of their stack, or,
        where it is a volume of their containers' own, no name.
        """
        return frozenset(
            found.name
            for found in objects
            if self._labels(found).get("saas.stack", self.name) == self.name
            and not NAMELESS.fullmatch(found.name)
        )

    @staticmethod
    def _labels(found):
        labels = found.attrs.get("Labels") or found.attrs.get("Config", {}).get(
            "Labels"
        )
        return labels or {}
