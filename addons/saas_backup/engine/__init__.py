"""Backups without Odoo: stores, format, keys, dump and restore, retention."""
