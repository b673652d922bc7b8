"""What pages, models and websockets agree on."""

from odoo.fields import Domain

from odoo.addons.saas.const import TRANSITIONS

# The tokens of the sign-ups that began in a browser, in its session.
SESSION_KEY = "saas_signups"

# A browser asks to be told of a sign-up by this and the token.
CHANNEL = "saas_signup:"

# Sign-ups whose tenant is not there yet. One that staff or the customer delete
# meanwhile waits for nothing.
UNBUILT = Domain("tenant_id.state", "in", TRANSITIONS["provision"][0])
WAITING = Domain("state", "=", "confirmed") & UNBUILT
NOT_BUILT = Domain("state", "=", "failed") & UNBUILT
