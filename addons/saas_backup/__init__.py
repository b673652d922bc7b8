from . import const
from . import models
from . import wizard
