from . import test_saas_access
from . import test_saas_const
from . import test_saas_infrastructure
from . import test_saas_operation
from . import test_saas_sweep
from . import test_saas_template
from . import test_saas_tenant
from . import test_saas_tenant_actions
