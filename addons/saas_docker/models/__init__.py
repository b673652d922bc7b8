from . import saas_proxy, saas_server
