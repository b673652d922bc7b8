from werkzeug.exceptions import NotFound

from odoo import http
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.http import request

from odoo.addons.portal.controllers.portal import CustomerPortal, pager
from odoo.addons.saas_website.controllers.portal import LARGEST_ID, ROUTE

from ..models.saas_subscription_portal import MOST_USERS

SUBSCRIPTIONS_A_PAGE = 20
INVOICES_SHOWN = 12


class SubscriptionPortal(CustomerPortal):
    def _prepare_home_portal_values(self, counters):
        values = super()._prepare_home_portal_values(counters)
        if "saas_subscription_count" in counters:
            subscriptions = request.env["saas.subscription"].sudo()
            values["saas_subscription_count"] = subscriptions.search_count(
                subscriptions._get_customer_domain()
            )
        return values

    @http.route(["/my/subscriptions", "/my/subscriptions/page/<int:page>"], **ROUTE)
    def my_subscriptions(self, page=1, **_kwargs):
        subscriptions = request.env["saas.subscription"].sudo()
        domain = subscriptions._get_customer_domain()
        pages = pager(
            url="/my/subscriptions",
            total=subscriptions.search_count(domain),
            page=page,
            step=SUBSCRIPTIONS_A_PAGE,
        )
        found = subscriptions.search(
            domain, limit=SUBSCRIPTIONS_A_PAGE, offset=pages["offset"]
        )
        return request.render(
            "saas_subscription.portal_my_subscriptions",
            {
                **self._prepare_portal_layout_values(),
                "page_name": "saas_subscription",
                "subscriptions": found,
                "pager": pages,
                "default_url": "/my/subscriptions",
            },
        )

    @http.route("/my/subscriptions/<int:subscription_id>", methods=["GET"], **ROUTE)
    def my_subscription(self, subscription_id, **_kwargs):
        return self._render_subscription(self._get_subscription(subscription_id))

    @http.route(
        "/my/subscriptions/<int:subscription_id>/change", methods=["GET"], **ROUTE
    )
    def my_subscription_change(self, subscription_id, **kwargs):
        """Show what can be chosen, and what the choice would cost where one is made."""
        subscription = self._get_subscription(subscription_id)
        if not subscription._may_be_changed():
            return request.redirect(f"/my/subscriptions/{subscription.id}", 303)
        return self._render_change(subscription, kwargs)

    @http.route(
        "/my/subscriptions/<int:subscription_id>/change/confirm",
        methods=["POST"],
        **ROUTE,
    )
    def my_subscription_confirm(self, subscription_id, shown="", **kwargs):
        subscription = self._get_subscription(subscription_id)
        if subscription.cancel_on:
            error = request.env._("It ends with its period. Keep it first.")
            return self._render_subscription(subscription, error=error)
        try:
            wanted, when = self._read_wish(subscription, kwargs)
            preview = subscription._preview_change(wanted, when)
            # A day later the rest of the period costs less.
            if self._describe_preview(preview) != shown:
                raise UserError(
                    request.env._(
                        "What it costs has changed meanwhile. Please look at it again."
                    )
                )
            subscription._request_change(wanted, when)
        except UserError as error:
            return self._render_change(subscription, kwargs, error=str(error))
        return request.redirect(f"/my/subscriptions/{subscription.id}", 303)

    @http.route(
        "/my/subscriptions/<int:subscription_id>/change/drop", methods=["POST"], **ROUTE
    )
    def my_subscription_drop(self, subscription_id, **_kwargs):
        subscription = self._get_subscription(subscription_id)
        return self._ask_subscription(subscription, subscription._drop_waiting_change)

    @http.route(
        "/my/subscriptions/<int:subscription_id>/method", methods=["POST"], **ROUTE
    )
    def my_subscription_method(self, subscription_id, method="", **_kwargs):
        subscription = self._get_subscription(subscription_id)
        chosen = self._choose(subscription._get_saved_methods(), method)
        return self._ask_subscription(
            subscription, subscription._use_saved_method, chosen
        )

    @http.route(
        "/my/subscriptions/<int:subscription_id>/cancel", methods=["POST"], **ROUTE
    )
    def my_subscription_cancel(self, subscription_id, reason="", **_kwargs):
        subscription = self._get_subscription(subscription_id)
        return self._ask_subscription(
            subscription,
            subscription._cancel_for_customer,
            self._choose(self._get_reasons(), reason),
        )

    @http.route(
        "/my/subscriptions/<int:subscription_id>/keep", methods=["POST"], **ROUTE
    )
    def my_subscription_keep(self, subscription_id, **_kwargs):
        subscription = self._get_subscription(subscription_id)
        return self._ask_subscription(subscription, subscription._keep_for_customer)

    # === HELPERS === #

    def _get_subscription(self, subscription_id):
        """Return the customer's own one; those of others answer like what is not."""
        if subscription_id > LARGEST_ID:
            raise NotFound()
        subscriptions = request.env["saas.subscription"].sudo()
        subscription = subscriptions.search(
            Domain("id", "=", subscription_id) & subscriptions._get_customer_domain()
        )
        if not subscription:
            raise NotFound()
        return subscription

    def _get_reasons(self):
        reasons = request.env["saas.close.reason"].sudo()
        return reasons.search([("for_customers", "=", True)])

    def _choose(self, records, record_id):
        return records.filtered(lambda record: str(record.id) == str(record_id))

    def _read_wish(self, subscription, values):
        """Return what a customer's form says: what is wanted, and when.

        :raise UserError: it says nothing that can be had
        """
        plans = subscription._get_offered_plans(request.website)
        plan = self._choose(plans, values.get("plan"))
        if not plan:
            raise UserError(request.env._("Please choose one of these plans."))
        users = str(values.get("users", ""))
        if not (users.isdecimal() and len(users) <= len(str(MOST_USERS))):
            raise UserError(
                request.env._("Users: please write a number from 0 to %s.", MOST_USERS)
            )
        when = "renewal" if values.get("when") == "renewal" else "now"
        return subscription._get_customer_wish(plan, int(users)), when

    def _describe_preview(self, preview):
        """Return what was agreed to, for the form to hand it back."""
        return f"{preview['total']:.2f} {preview['each_period']:.2f}"

    def _ask_subscription(self, subscription, ask, *args):
        try:
            ask(*args)
        except UserError as error:
            return self._render_subscription(subscription, error=str(error))
        return request.redirect(f"/my/subscriptions/{subscription.id}", 303)

    def _render_subscription(self, subscription, error=False):
        invoices = subscription._get_customer_invoices()
        response = request.render(
            "saas_subscription.portal_my_subscription",
            {
                **self._prepare_portal_layout_values(),
                "page_name": "saas_subscription",
                "subscription": subscription,
                "next_invoice": subscription._get_next_invoice(),
                "change": subscription._get_waiting_change(),
                "invoices": invoices[:INVOICES_SHOWN],
                "more_invoices": len(invoices) > INVOICES_SHOWN,
                "methods": subscription._get_saved_methods(),
                "reasons": self._get_reasons(),
                "error": error,
            },
        )
        if error:
            response.status_code = 422
        return response

    def _try_preview(self, subscription, values):
        """Return what a wish would cost, and why it cannot be had."""
        if not values.get("plan"):
            return False, False
        try:
            return subscription._preview_change(
                *self._read_wish(subscription, values)
            ), False
        except UserError as error:
            return False, str(error)

    def _render_change(self, subscription, values, error=False):
        preview, problem = self._try_preview(subscription, values)
        error = error or problem
        plan = subscription._get_plan_product()
        response = request.render(
            "saas_subscription.portal_change",
            {
                **self._prepare_portal_layout_values(),
                "page_name": "saas_subscription",
                "subscription": subscription,
                "plans": subscription._get_offered_plans(request.website),
                "chosen": str(values.get("plan", plan.id)),
                "users": values.get("users", subscription._count_users()),
                "when": "renewal" if values.get("when") == "renewal" else "now",
                "user_product": subscription._find_user_product(plan),
                "preview": preview,
                "shown": preview and self._describe_preview(preview),
                "error": error,
            },
        )
        if error:
            response.status_code = 422
        return response
