"""Packages of the distribution, for what the machine itself lacks."""

from __future__ import annotations

import shutil

from .shell import Shell, StackError

APT = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]


class Apt:
    """Installs packages; the lists are fetched once, and only when needed."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._updated = False

    def ensure(self, program: str, *packages: str) -> None:
        """Install packages unless the program is there.

        :raise StackError: it cannot be had
        """
        if shutil.which(program) is None:
            self.install(*packages)

    def install(self, *packages: str) -> None:
        names = " ".join(packages)
        if shutil.which("apt-get") is None:
            raise StackError(f"{names} is missing: install it, then try again.")
        self._update(names)
        self._shell.root(
            [*APT, "install", "--yes", "--no-install-recommends", *packages],
            f"The package {names} cannot be had: see that apt-get works (sudo apt-get "
            f"install {names}), then try again.",
        )

    def known(self, package: str) -> bool:
        """Whether the distribution has a package that can be installed."""
        self._update(package)
        done = self._shell.run(
            ["apt-cache", "show", "--no-all-versions", package], check=False
        )
        return done.returncode == 0 and "Filename:" in done.stdout

    def _update(self, wanted: str) -> None:
        if self._updated:
            return
        done = self._shell.root([*APT, "update"], check=False)
        if done.returncode:
            raise StackError(
                f"The lists of packages cannot be fetched, and {wanted} is needed: see "
                "that the network and sudo apt-get update work, then try again.",
                done.stderr,
            )
        self._updated = True
