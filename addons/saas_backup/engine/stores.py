"""Which kinds of store there are, and their settings as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from odoo.addons.saas.engine.errors import RefusedError

from .directory import DirectoryConfig, DirectoryStore
from .s3_config import S3Config
from .store import Store

StoreConfig = DirectoryConfig | S3Config

_KINDS: Mapping[str, type[StoreConfig]] = {
    "directory": DirectoryConfig,
    "s3": S3Config,
}


def make_store(config: StoreConfig) -> Store:
    if isinstance(config, DirectoryConfig):
        return DirectoryStore(config)
    # Loading the library takes longer than a small copy does.
    from .s3 import S3Store

    return S3Store(config)


def config_to_json(config: StoreConfig) -> dict[str, Any]:
    """Plain values, secrets included: only for a file that others cannot read."""
    kind = next(name for name, made in _KINDS.items() if isinstance(config, made))
    return {"kind": kind, **dataclasses.asdict(config)}


def config_from_json(values: Mapping[str, Any]) -> StoreConfig:
    """:raise RefusedError: ``bad_job``"""
    settings = dict(values)
    made = _KINDS.get(str(settings.pop("kind", "")))
    if made is None:
        raise RefusedError(
            f"A store is of kind {' or '.join(sorted(_KINDS))}.", reason="bad_job"
        )
    try:
        return made(**settings)
    except TypeError as error:
        raise RefusedError(
            f"The settings of the store are not understood: {error}.", reason="bad_job"
        ) from error
