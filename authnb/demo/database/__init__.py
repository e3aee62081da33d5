"""Accounts, clients, codes and tokens of the provider for learning, in SQLAlchemy.

Imports nothing else of the provider.
"""
