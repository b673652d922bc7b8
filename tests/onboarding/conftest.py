"""A person at a browser, as in the end-to-end tests; the stack is another one."""

import pytest

from e2e.conftest import _names_of_this_machine, browser, engine, new_desk
from e2e.own import OwnStack
from stack import settings

__all__ = ("_names_of_this_machine", "browser", "engine", "new_desk")


@pytest.fixture(scope="session")
def empty_stack():
    """A second stack whose master has no server."""
    stack = OwnStack(settings.load_empty())
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
