"""Migrations and Alembic's environment. They import no model: a migration never changes."""
