"""A person at a browser, as in the end-to-end tests; the stack is another one."""

from e2e.conftest import _names_of_this_machine, browser, new_desk

__all__ = ("_names_of_this_machine", "browser", "new_desk")
