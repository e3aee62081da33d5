"""The pages a person sees at the provider for learning: accounts, consent, device codes, sign-out.

Imports `protocol`, `database` and `context`.
"""
