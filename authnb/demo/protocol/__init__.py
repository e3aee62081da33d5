"""The endpoints and grants of the provider for learning, on Authlib's server side.

Imports `database` and `context`.
"""
