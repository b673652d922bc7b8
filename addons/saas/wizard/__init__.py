from . import saas_tenant_suspend
from . import saas_tenant_delete
