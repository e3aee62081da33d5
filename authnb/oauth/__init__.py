"""The OAuth 2.0 and OpenID Connect protocol: providers, clients, token responses, ID tokens.

Imports `transport` and `errors`. Shows nothing to anybody and stores nothing.
"""
