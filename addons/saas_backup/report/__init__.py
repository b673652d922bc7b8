from . import saas_drill_report
