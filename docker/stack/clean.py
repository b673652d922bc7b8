"""Stopping and removing what is ours: by label and by name, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from . import images
from .settings import Settings
from .shell import Shell, StackError

IPTABLES = tuple(
    f"{family}-{kind}"
    for kind in ("nft", "legacy")
    for family in ("iptables", "ip6tables")
)
# Addresses are translated for the older protocol alone.
TABLES = {"iptables": ("filter", "nat"), "ip6tables": ("filter",)}
LEGACY_TABLES = Path("/proc/net/ip_tables_names")


def stack_labels(stack: str) -> list[str]:
    """The labels that everything of a stack has one of.

    Not Compose's own: a stranger's project may have the same name.
    """
    return [f"saas.stack={stack}"]


def listed(shell: Shell, kind: str, labels: Iterable[str], *flags: str) -> list[str]:
    """The ids or names of what has one of the labels, each once."""
    found: dict[str, None] = {}
    for label in labels:
        names = shell.docker(
            kind, "ls", *flags, "--quiet", "--filter", f"label={label}"
        )
        found.update(dict.fromkeys(names.split()))
    return list(found)


def refuse_stranger(shell: Shell, stack: str) -> None:
    """Do not touch a Compose project of somebody else that has the stack's name.

    :raise StackError: there is one
    """
    project = listed(
        shell, "container", [f"com.docker.compose.project={stack}"], "--all"
    )
    ours = listed(shell, "container", stack_labels(stack), "--all")
    if set(project) - set(ours):
        raise StackError(
            f"Another Compose project on this machine is called {stack}: set another "
            "SAAS_STACK in .env."
        )


def tenant_containers(shell: Shell, stack: str) -> list[str]:
    """The tenants' containers of a stack that run."""
    return shell.docker(
        *("ps", "--filter", f"label=saas.stack={stack}"),
        *("--filter", "label=saas.tenant", "--format", "{{.Names}}"),
    ).split()


def remove_stack(shell: Shell, stack: str) -> dict[str, int]:
    """Remove the containers, volumes, networks and firewall rules of a stack.

    :return: how many of each there were
    """
    labels = stack_labels(stack)
    containers = listed(shell, "container", labels, "--all")
    if containers:
        shell.docker("rm", "--force", "--volumes", *containers)
    volumes = listed(shell, "volume", labels)
    if volumes:
        shell.docker("volume", "rm", "--force", *volumes)
    networks = listed(shell, "network", labels)
    for network in networks:
        shell.docker(
            *("network", "rm", network),
            failure=f"A network of the stack {stack} is in use by what is not ours.",
        )
    rules = remove_firewall(shell, stack)
    return {
        "containers": len(containers),
        "volumes": len(volumes),
        "networks": len(networks),
        "firewall rules": rules,
    }


def remove_images(shell: Shell) -> int:
    """Remove our images, untagged layers of earlier builds included."""
    names = [tag for image in images.IMAGES for tag in image.tags]
    present = [name for name in names if images.identity(shell, name)]
    ids = listed(shell, "image", [f"{images.LABEL}=1"], "--all")
    for name in present:
        shell.docker("rmi", "--force", name, check=False)
    # A layer goes with the image on top of it, so some are gone when it is their turn.
    for identity in ids:
        shell.docker("rmi", "--force", identity, check=False)
    return len(set(ids)) or len(present)


def firewall_removal(rules: str, stack: str) -> list[list[str]]:
    """What removes our rules, from what ``iptables -S`` says, jumps before chains."""
    chains = {f"SAAS-{stack}-{end}" for end in ("IN", "FWD", "OUT", "NAT")}
    jumps, flushes, deletions = [], [], []
    for line in rules.splitlines():
        action, chain, *rest = line.split()
        if action == "-N" and chain in chains:
            flushes.append(["-F", chain])
            deletions.append(["-X", chain])
        elif action == "-A" and chain not in chains and chains & set(rest):
            jumps.append(["-D", chain, *rest])
    return jumps + flushes + deletions


def remove_firewall(shell: Shell, stack: str) -> int:
    """Remove our chains and the jumps to them, whichever iptables made them."""
    removed = 0
    for program in IPTABLES:
        if shutil.which(program) is None:
            continue
        for table in _tables(program):
            command = [program, "-w", "-t", table]
            rules = shell.root([*command, "-S"], check=False).stdout
            for arguments in firewall_removal(rules, stack):
                shell.root([*command, *arguments], check=False)
                removed += 1
    return removed


def _tables(program: str) -> list[str]:
    """Where rules of ours may be."""
    family, _dash, kind = program.partition("-")
    tables = list(TABLES[family])
    if kind == "legacy":
        # Merely asking it for a table would load that into the kernel.
        loaded = LEGACY_TABLES.read_text().split() if LEGACY_TABLES.exists() else []
        tables = [table for table in tables if table in loaded]
    return tables


def stop(settings: Settings, shell: Shell) -> list[str]:
    """Stop the tenants' containers; the names of those that ran."""
    names = tenant_containers(shell, settings.stack)
    if names:
        shell.docker("stop", "--time", "15", *names)
    return names


def sentence(removed: dict[str, int]) -> str:
    """What was removed, for people."""
    parts = [f"{number} {kind}" for kind, number in removed.items() if number]
    return f"Removed {', '.join(parts)}." if parts else "There was nothing to remove."
