from . import login
from . import plans
from . import portal
from . import domains
from . import signup
