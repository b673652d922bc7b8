"""Dates and amounts of subscriptions: plain Python, without Odoo."""
