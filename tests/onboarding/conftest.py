"""A person at a browser, as in the end-to-end tests; the stack is another one."""

import os

import pytest

from e2e.conftest import _names_of_this_machine, browser, engine, new_desk
from stack import clean, settings
from stack.demo import STACK_PHASES, Stack
from stack.shell import Progress, Shell

__all__ = ("_names_of_this_machine", "browser", "engine", "new_desk")


class Empty:
    """A second stack, made as make demo makes it, whose master has no server."""

    def __init__(self):
        self.values = settings.load_empty()
        log = self.values.cache / "logs" / f"{self.values.stack}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self._shell = Shell(log)

    def up(self):
        with pytest.MonkeyPatch.context() as patch:
            # Compose prefers what the environment says, which is of the other stack.
            for name in [name for name in os.environ if name.startswith("SAAS_")]:
                patch.delenv(name)
            Stack(self.values, self._shell, Progress(STACK_PHASES)).up()

    def remove(self):
        clean.remove_stack(self._shell, self.values.stack)


@pytest.fixture(scope="session")
def empty_stack():
    stack = Empty()
    # What a run that was killed has left would not be empty.
    stack.remove()
    try:
        stack.up()
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="session")
def empty(empty_stack):
    """The settings of that stack."""
    return empty_stack.values
