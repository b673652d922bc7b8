"""A stack that tests make for themselves, as make demo makes one."""

from __future__ import annotations

import os

import pytest

from stack import clean
from stack.demo import STACK_PHASES, Stack
from stack.shell import Progress, Shell


class OwnStack:
    """One that nobody else uses, of these settings."""

    def __init__(self, values):
        self.values = values
        log = values.cache / "logs" / f"{values.stack}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self._shell = Shell(log)

    def up(self):
        with pytest.MonkeyPatch.context() as patch:
            # Compose prefers what the environment says, which is of another stack.
            for name in [name for name in os.environ if name.startswith("SAAS_")]:
                patch.delenv(name)
            Stack(self.values, self._shell, Progress(STACK_PHASES)).up()

    def remove(self):
        clean.remove_stack(self._shell, self.values.stack)
