from . import saas_backup_restore
from . import saas_recovery_key
from . import saas_tenant_delete
