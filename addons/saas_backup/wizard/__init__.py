from . import saas_backup_restore
from . import saas_recovery_key
