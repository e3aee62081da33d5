"""Sessions for API calls: bearer token authentication, renewal before expiry, revocation at logout.

Imports `storage`, `oauth`, `transport` and `errors`.
"""
