from . import test_mailbox
from . import test_saas_signup
from . import test_signup_pages
from . import test_login_link
from . import test_portal
from . import test_hijack
from . import test_routes
from . import test_rights
