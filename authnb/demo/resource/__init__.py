"""The protected API that the provider's access tokens open.

Imports `protocol`, `database` and `context`.
"""
