from . import test_login
