"""What the jobs of this addon have in common."""

from odoo.addons.queue_job.exception import RetryableJobError

SECONDS_TO_COME_BACK = 30


def take_for_job(record):
    """Lock a record and read it anew; where somebody has it, the job comes back later.

    Coming back is no try: nothing was done yet, and nobody has been asked for money.

    :raise RetryableJobError: it is being changed
    """
    if not record.try_lock_for_update():
        raise RetryableJobError(
            "It is being changed.", seconds=SECONDS_TO_COME_BACK, ignore_retry=True
        )
    record.invalidate_recordset()
