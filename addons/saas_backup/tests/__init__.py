from . import test_saas_backup
