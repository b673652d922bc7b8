"""Measure new tenants, copies, restores and waking: ``make bench`` runs this.

It needs a stack, which the environment tells about as it does for the end-to-end tests:
``SAAS_STACK``, ``SAAS_URL``, ``SAAS_ADMIN_PASSWORD``.
"""

import pathlib
import runpy
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
runpy.run_module("bench", run_name="__main__", alter_sys=True)
