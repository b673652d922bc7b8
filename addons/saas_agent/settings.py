"""What the master has written about this tenant into its configuration file."""

from __future__ import annotations

import configparser
import dataclasses

SECTION = "saas_agent"


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """The section ``[saas_agent]``; what is missing is empty.

    :param str uid: of this tenant, the audience of its tokens
    :param str public_key: of the master, raw Ed25519 in base64
    """

    uid: str = ""
    public_key: str = ""


def read_settings(path: str) -> Settings:
    """Read the section from Odoo's configuration file, which a new key changes."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(path, encoding="utf-8")
    if not parser.has_section(SECTION):
        return Settings()
    section = parser[SECTION]
    return Settings(
        uid=section.get("uid", "").strip(),
        public_key=section.get("public_key", "").strip(),
    )
