from . import saas_subscription_alter
from . import saas_subscription_cancel
