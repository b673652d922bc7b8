"""The Docker engine as a server: plain Python, free of any Odoo import."""
