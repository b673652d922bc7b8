"""What pages, models and websockets agree on."""

# The tokens of the sign-ups that began in a browser, in its session.
SESSION_KEY = "saas_signups"

# A browser asks to be told of a sign-up by this and the token.
CHANNEL = "saas_signup:"
