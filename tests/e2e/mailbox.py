"""The stack's own mailbox: where the mails of the master end."""

from __future__ import annotations

import re
import time

import requests

CODE = re.compile(r"\b\d{6}\b")
LINK = re.compile(r"https?://[^\s\"<>\]]+/saas/login-link/[^\s\"<>\]]+")


class Mailbox:
    def __init__(self, url):
        self.url = url

    def list(self, address):
        """The mails to an address, oldest first."""
        answer = requests.get(
            f"{self.url}/messages", params={"to": address}, timeout=30
        )
        return answer.json()

    def find(self, pattern, part, address, number=1, seconds=60):
        """Wait for a mail that has the pattern, the so manyth to an address or later.

        Other mails may come at any moment, e.g. that a tenant is ready.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            mails = self.list(address)
            matches = [pattern.search(mail[part]) for mail in mails[number - 1 :]]
            if any(matches):
                return [match for match in matches if match][-1][0]
            time.sleep(0.2)
        raise AssertionError(f"no such mail among the {len(mails)} to {address}")


def read_code(mailbox, address, number=1):
    """The code in the newest mail that has one, the so manyth or a later one."""
    return mailbox.find(CODE, "text", address, number)


def read_link(mailbox, address, number=1):
    """The login link in the newest mail that has one, the so manyth or a later one."""
    return mailbox.find(LINK, "html", address, number)
