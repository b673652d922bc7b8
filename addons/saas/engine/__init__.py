"""The engine: plain Python that talks to the outside, free of any Odoo import."""
