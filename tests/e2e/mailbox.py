"""The stack's own mailbox: where the mails of the master end."""

from __future__ import annotations

import re
import time

import requests

CODE = re.compile(r"\b\d{6}\b")
LINK = re.compile(r"https?://[^\s\"<>\]]+")


class Mailbox:
    def __init__(self, url):
        self.url = url

    def list(self, address):
        """The mails to an address, oldest first."""
        answer = requests.get(
            f"{self.url}/messages", params={"to": address}, timeout=30
        )
        return answer.json()

    def wait(self, address, number=1, seconds=60):
        """Wait until so many mails have come to an address; the newest."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            mails = self.list(address)
            if len(mails) >= number:
                return mails[-1]
            time.sleep(0.2)
        raise AssertionError(f"{len(mails)} of {number} mails came to {address}")


def read_code(mailbox, address, number=1):
    """The code in the newest mail to an address, once so many have come."""
    return CODE.search(mailbox.wait(address, number)["text"])[0]


def read_link(mailbox, address, number=1):
    """The first link in the newest mail to an address, once so many have come."""
    return LINK.search(mailbox.wait(address, number)["html"])[0]
