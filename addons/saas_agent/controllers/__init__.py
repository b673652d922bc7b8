from . import login
from . import use
