from . import test_saas_backup
from . import test_saas_drill
from . import test_saas_restore
from . import test_saas_store
from . import test_access
from . import test_routes
from . import test_saas_backup_policy
from . import test_translations
