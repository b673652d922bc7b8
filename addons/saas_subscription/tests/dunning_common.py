from freezegun import freeze_time

from odoo.addons.queue_job.job import Job

from .common import SubscriptionCommon

# Invoices are mailed in tests of their own: their PDF takes a second.
METHODS = ("_take_steps", "_tend_trial", "_charge_saas", "_send_saas", "_book_saas")


class DunningCommon(SubscriptionCommon):
    """Days that pass, with what the worker does on each."""

    def tick(self, *days):
        """Let the worker do on each of these days what is due."""
        for day in days:
            with self.at(day), self.the_bank():
                self.env["saas.operation"]._cron_tick()
                self.work()
                self.run_operations()

    def work(self):
        domain = [("state", "=", "pending"), ("method_name", "in", METHODS)]
        while queued := self.env["queue.job"].search(domain, order="id", limit=1):
            job = Job.load(self.env, queued.uuid)
            job.perform()
            job.set_done()
            job.store()

    def at_hour(self, day, hour):
        return freeze_time(f"{day} {hour}:00")

    def get_waiting(self, method):
        return self.get_jobs(method).filtered(lambda job: job.state == "pending")

    def subjects(self, subscription):
        """Return what was mailed to its customer, the newest first."""
        return subscription.message_ids.filtered("subject").mapped("subject")

    def mail(self, subscription):
        """Return the last mail's text on one line."""
        mails = self.env["mail.mail"].search(
            [("model", "=", "saas.subscription"), ("res_id", "=", subscription.id)],
            order="id desc",
            limit=1,
        )
        return " ".join(mails.body_html.split())
