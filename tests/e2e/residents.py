"""Two customers whose Odoo all tests may look at; none changes what the others see."""

from __future__ import annotations

import dataclasses
import json

import docker


@dataclasses.dataclass(frozen=True)
class Resident:
    """A running tenant, and a shell in its container."""

    id: int
    uid: str
    name: str
    url: str
    container: docker.models.containers.Container

    @property
    def host(self):
        return self.url.removeprefix("http://").partition(":")[0]

    @property
    def address(self):
        """Its address in the tenants' network."""
        [network] = self.container.attrs["NetworkSettings"]["Networks"].values()
        return network["IPAddress"]

    def run(self, script, *arguments):
        """What a Python script prints that its own user runs inside it, from JSON."""
        return run_python(self.container, script, *arguments)


def run_python(container, script, *arguments, **options):
    result = container.exec_run(
        ["python3", "-c", script, *map(json.dumps, arguments)], demux=True, **options
    )
    output, errors = result.output
    assert result.exit_code == 0, (errors or b"").decode()
    return json.loads(output)


def look_up(master, stack, tenant):
    uid = master.read("saas.tenant", tenant, "uid")
    return Resident(
        id=tenant,
        uid=uid,
        name=master.read("saas.tenant", tenant, "name"),
        url=master.read("saas.tenant", tenant, "url"),
        container=stack.tenant_container(uid),
    )
