from . import test_saas_proxy, test_saas_server, test_translations
