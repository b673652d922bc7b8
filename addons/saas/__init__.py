from odoo.addons.queue_job import jobrunner
from odoo.addons.queue_job.jobrunner import runner

from . import models, wizard
from .cookies import post_load
from .listening import listening

# An idle runner looks for dead jobs only when its loop turns, by default once a
# minute. Turning it every five seconds lets an operation whose worker was killed go
# on some seconds after the worker is back.
runner.SELECT_TIMEOUT = 5

# It begins while the registry is loaded, by default after five seconds: what it asks
# for waits for that by itself. This works where this addon is loaded with the server.
jobrunner.START_DELAY = 1

# In the worker, in whatever process of it the jobs are run from.
runner.QueueJobRunner.run = listening(runner.QueueJobRunner.run)
