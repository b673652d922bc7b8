"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform

import docker


def describe() -> dict[str, str]:
    engine = docker.from_env()
    info = engine.info()
    engine.close()
    return {
        "processors": str(os.cpu_count()),
        "memory": f"{info['MemTotal'] / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "engine": info["ServerVersion"],
        "storage": info["Driver"],
        "load at the start": f"{os.getloadavg()[0]:.1f}",
    }
