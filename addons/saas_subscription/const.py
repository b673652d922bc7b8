"""What subscriptions follow: kinds of products, states, who charges."""

# === PRICES === #

PRODUCT_KINDS = {
    "plan": "Plan",
    "user": "Users",
    "storage": "Storage",
    "backup": "Backups",
    "option": "Option",
    "setup": "Set-up",
}

PLAN_OPTIONS = {
    "own_database": "Own PostgreSQL",
    "workers": "HTTP workers",
    "domain": "Own domain",
    "staging": "Staging copies",
}

# === STATES OF A SUBSCRIPTION === #

STATES = {
    "draft": "Draft",
    "trial": "Trial",
    "active": "Active",
    "past_due": "Past Due",
    "unpaid": "Unpaid",
    "paused": "Paused",
    "cancelled": "Cancelled",
    "closed": "Closed",
}

# From which states an event may come, and where it leads. ``_apply`` is the only place
# that writes a state; the diagram in the documentation is drawn from this table.
TRANSITIONS = {
    "start_trial": (("draft",), "trial"),
    "activate": (("draft", "trial"), "active"),
    "owe": (("active",), "past_due"),
    "hold": (("active", "past_due"), "unpaid"),
    "extend": (("unpaid",), "past_due"),
    "settle": (("past_due", "unpaid"), "active"),
    "pause": (("active",), "paused"),
    "resume": (("paused",), "active"),
    "cancel": (
        ("draft", "trial", "active", "past_due", "unpaid", "paused"),
        "cancelled",
    ),
    "reactivate": (("cancelled",), "active"),
    "close": (("unpaid", "cancelled"), "closed"),
}

# In which its periods are invoiced: nothing is charged for days without a tenant.
INVOICED = ("active", "past_due")
# In which it brings revenue.
EARNING = ("active", "past_due", "unpaid")
# In which its lines can be changed.
CHANGEABLE = ("trial", "active", "past_due")
# In which its tenant may be another subscription's.
ENDED = ("cancelled", "closed")

# === WHO CHARGES === #

# One of them alone does; services other than Odoo add themselves.
BILLING_OWNERS = {
    "odoo": "Odoo",
    "stripe": "Stripe",
    "paddle": "Paddle",
}

# These providers take the reference of a transaction, or a key made from it, for the
# same payment: asked for again, they answer what became of it. Read in their source.
ASKABLE_PROVIDERS = ("adyen", "demo", "mercado_pago", "stripe", "worldline")

# === CHANGES === #

CHANGE_TIMES = {
    "now": "Now",
    "renewal": "At the renewal",
}

# How long before a renewal another price is announced, unless staff say otherwise.
NOTICE_DAYS = 30

CHANGE_STATES = {
    "waiting": "Waiting",
    "done": "Done",
    "dropped": "Dropped",
}
