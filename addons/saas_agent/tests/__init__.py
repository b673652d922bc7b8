from . import test_login
from . import test_translations
