from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import format_date, formatLang

from ..engine import mrr

READERS = ("sales_team.group_sale_manager", "account.group_account_invoice")
MONTHS = 12
NOTHING = "\N{EN DASH}"  # where there is nothing that something is a part of
WINDOW = timedelta(days=365)  # of what is counted, not summed


class SaasRevenue(models.AbstractModel):
    """The figures of the current company; it reads what was recorded as it happened."""

    _name = "saas.revenue"
    _description = "Revenue"

    @api.model
    def get_data(self):
        """Return the figures of today, and how revenue moved in the last months."""
        if not any(self.env.user.has_group(group) for group in READERS):
            raise AccessError(
                self.env._("Only sales managers and billing staff may see this.")
            )
        months = self._summarize_months()
        return {
            "company": self.env.company.name,
            "tiles": self._make_tiles(months),
            "months": [self._format_month(*month) for month in reversed(months)],
        }

    # === MONTHS === #

    @api.model
    def _summarize_months(self):
        """Return the first day of each of the last months, and what happened in it."""
        today = fields.Date.context_today(self)
        first = today.replace(day=1) - relativedelta(months=MONTHS - 1)
        sums = self._sum_movements(Domain("date", ">=", first), "date:month")
        opening = self._sum_before(first)
        months = []
        for number in range(MONTHS):
            month = first + relativedelta(months=number)
            movements = [
                mrr.Movement(mrr.Kind(kind), amount)
                for begin, kind, amount in sums
                if begin == month
            ]
            summary = mrr.summarize(opening, movements, self._get_coin())
            months.append((month, summary))
            opening = summary.closing
        return months

    @api.model
    def _sum_movements(self, domain, *groups):
        return self._get_movements()._read_group(
            self._get_domain() & domain, [*groups, "kind"], ["amount:sum"]
        )

    @api.model
    def _sum_before(self, day):
        [[amount]] = self._get_movements()._read_group(
            self._get_domain() & Domain("date", "<", day), [], ["amount:sum"]
        )
        return amount or 0.0

    @api.model
    def _get_movements(self):
        return self.env["saas.mrr.movement"].sudo()

    @api.model
    def _get_domain(self):
        return Domain("company_id", "=", self.env.company.id)

    @api.model
    def _get_coin(self):
        return self.env.company.currency_id.rounding

    # === TILES === #

    @api.model
    def _make_tiles(self, months):
        _month, summary = months[-1]
        lost, opening = self._sum_lost_of_a_year(months)
        return [
            {
                "key": "mrr",
                "label": self.env._("MRR"),
                "value": self._format_amount(summary.closing),
                "help": self.env._("What subscriptions bring in a month"),
            },
            {
                "key": "arr",
                "label": self.env._("ARR"),
                "value": self._format_amount(
                    mrr.yearly(summary.closing, self._get_coin())
                ),
                "help": self.env._("The same in a year"),
            },
            {
                "key": "churn",
                "label": self.env._("Churn this month"),
                "value": self._format_share(summary.churn_rate, summary.opening),
                "help": self.env._(
                    "Part of the MRR of the month's beginning that was lost; %s a "
                    "month on average in the last 12",
                    self._format_share(mrr.find_share(lost, opening), opening),
                ),
            },
            {
                "key": "trials",
                "label": self.env._("Trials converted"),
                **self._count_trials(),
            },
            {
                "key": "dunning",
                "label": self.env._("Dunning recovered"),
                **self._count_cases(),
            },
        ]

    @api.model
    def _sum_lost_of_a_year(self, months):
        lost = -sum(summary.churn + summary.contraction for _day, summary in months)
        return lost, sum(summary.opening for _day, summary in months)

    @api.model
    def _count_trials(self):
        since = fields.Date.context_today(self) - WINDOW
        rows = (
            self.env["saas.subscription"]
            .sudo()
            ._read_group(
                self._get_domain()
                & Domain("trial_outcome", "!=", False)
                & Domain("trial_end", ">=", since),
                ["trial_outcome"],
                ["__count"],
            )
        )
        counts = dict(rows)
        converted, total = counts.get("converted", 0), sum(counts.values())
        return {
            "value": self._format_share(mrr.find_share(converted, total), total),
            "help": self.env._(
                "%(converted)s of %(total)s trials of the last 12 months",
                converted=converted,
                total=total,
            ),
        }

    @api.model
    def _count_cases(self):
        """Of what was owed and is no longer open, which part was paid."""
        since = fields.Date.context_today(self) - WINDOW
        rows = (
            self.env["saas.dunning.case"]
            .sudo()
            ._read_group(
                self._get_domain()
                & Domain("state", "in", ("recovered", "lost"))
                & Domain("date_ended", ">=", since),
                ["state"],
                ["amount:sum"],
            )
        )
        amounts = dict(rows)
        recovered, total = amounts.get("recovered", 0.0), sum(amounts.values())
        return {
            "value": self._format_share(mrr.find_share(recovered, total), total),
            "help": self.env._(
                "%(recovered)s of %(total)s that came late in the last 12 months",
                recovered=self._format_amount(recovered),
                total=self._format_amount(total),
            ),
        }

    # === FORMAT === #

    @api.model
    def _format_month(self, day, summary):
        amounts = ("opening", *(kind.value for kind in mrr.Kind), "closing")
        return {
            "key": fields.Date.to_string(day),
            "label": format_date(self.env, day, date_format="MMMM y"),
            **{name: self._format_amount(getattr(summary, name)) for name in amounts},
        }

    @api.model
    def _format_amount(self, amount):
        return formatLang(self.env, amount, currency_obj=self.env.company.currency_id)

    @api.model
    def _format_share(self, share, whole):
        if not whole:
            return NOTHING
        return f"{formatLang(self.env, share * 100, digits=1)} %"
