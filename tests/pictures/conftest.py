"""People at browsers, as in the end-to-end tests, on a stack with nothing in it yet."""

from e2e.conftest import (
    _names_of_this_machine,
    browser,
    desk,
    engine,
    mailbox,
    make_tenant,
    master,
    names,
    new_desk,
    new_visitor,
    plan,
    stack,
)

__all__ = (
    "_names_of_this_machine",
    "browser",
    "desk",
    "engine",
    "mailbox",
    "make_tenant",
    "master",
    "names",
    "new_desk",
    "new_visitor",
    "plan",
    "stack",
)
