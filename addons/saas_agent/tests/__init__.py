from . import test_connections
from . import test_login
from . import test_translations
from . import test_use
