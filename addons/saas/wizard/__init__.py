from . import saas_tenant_suspend
from . import saas_tenant_delete
from . import saas_tenant_rename
from . import saas_domain_add
