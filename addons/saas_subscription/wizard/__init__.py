from . import saas_price_announce
from . import saas_subscription_alter
from . import saas_subscription_cancel
from . import saas_dunning_extension
