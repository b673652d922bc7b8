from . import controllers
from .hardening import post_load
