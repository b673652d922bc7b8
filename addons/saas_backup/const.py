"""What backups add to the tables that the life of a tenant follows."""

import dataclasses

from odoo.addons.saas.const import CLEAN_UPS, KINDS, TRANSITIONS, Kind

# === KINDS OF OPERATIONS === #

BACKUP_KINDS = {
    "backup": Kind(
        "Back up", ("backup_start", "backup_wait", "backup_tidy"), exclusive=False
    ),
    "verify": Kind("Read the copy", ("verify",), exclusive=False),
    "prune": Kind("Remove old copies", ("prune", "collect"), exclusive=False),
    "drill": Kind(
        "Drill",
        ("drill_start", "drill_load", "drill_boot", "drill_remove"),
        exclusive=False,
    ),
    "discard_drill": Kind(
        "Remove the throwaway", ("drill_remove",), exclusive=False, persistent=True
    ),
    "restore": Kind(
        "Restore",
        (
            "restore_safety",
            "restore_safety_wait",
            "restore_safety_tidy",
            "restore_try",
            "restore_try_wait",
            "restore_files",
            "page",
            "stop",
            "restore_switch",
            "route",
            "container",
            "ready",
            "restore_clear",
        ),
    ),
    "undo_restore": Kind(
        "Go back to before the restore",
        (
            "stop",
            "restore_back",
            "route",
            "container",
            "ready",
            "restore_rest",
            "restore_clear",
        ),
    ),
    "restore_new": Kind(
        "Restore as new",
        (
            "restore_place",
            "restore_role",
            "restore_start",
            "restore_wait",
            "restore_neutralize",
            "restore_address",
            "open",
            "route",
            "container",
            "ready",
        ),
    ),
    "recover": Kind(
        "Recover",
        (
            "recover_look",
            "restore_place",
            "recover_copies",
            "restore_role",
            "restore_start",
            "restore_wait",
            "restore_address",
            "open",
            "route",
            "container",
            "ready",
        ),
    ),
    "restore_archived": Kind(
        "Bring back",
        (
            "restore_place",
            "restore_role",
            "restore_start",
            "restore_wait",
            "restore_address",
            "open",
            "route",
            "container",
            "ready",
            "take_back",
        ),
    ),
}

KINDS.update(BACKUP_KINDS)
CLEAN_UPS.add("undo_restore")
ARCHIVE_STEPS = KINDS["archive"].steps
KINDS["archive"] = dataclasses.replace(
    KINDS["archive"],
    # Of what it is when it has stopped, and before anything is removed.
    steps=(
        *ARCHIVE_STEPS[: ARCHIVE_STEPS.index("put_away")],
        "archive_copy",
        "archive_copy_wait",
        "archive_copy_tidy",
        "archive_try",
        "archive_try_wait",
        *ARCHIVE_STEPS[ARCHIVE_STEPS.index("put_away") :],
    ),
)
KINDS["erase"] = dataclasses.replace(
    KINDS["erase"],
    # Before the key is destroyed, and after all that does not need a store.
    steps=(*KINDS["erase"].steps[:-1], "erase_copies", KINDS["erase"].steps[-1]),
)

TRANSITIONS["restore"] = (("running", "sleeping", "stopped"), "running")
TRANSITIONS["restore_new"] = (("draft", "failed"), "running")
TRANSITIONS["recover"] = (("draft", "failed"), "running")

# In which states a tenant has data that can be copied.
BACKED_UP = ("running", "sleeping", "stopped", "suspended", "deleting")

# Kinds that can be taken back for a while, and are worth a last copy all the same.
BACKED_UP_BEFORE = ("delete",)

# === COPIES === #

BACKUP_STATES = {
    "running": "Being made",
    "done": "Good",
    "failed": "Failed",
    "deleting": "Being removed",
    "deleted": "Removed",
}

REASONS = {
    "staff": "Asked for by staff",
    "customer": "Asked for by the customer",
    "schedule": "By schedule",
    "restore": "Before a restore",
    "delete": "Before deletion",
    "archive": "For the archive",
}

DRILL_RESULTS = {
    "running": "Running",
    "passed": "Passed",
    "failed": "Failed",
    "undecided": "Could not be tried",
}
DRILL_STATES = {"none": "Not tried yet", **DRILL_RESULTS}
