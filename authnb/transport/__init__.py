"""HTTP as authnb speaks it to providers: bounded, observed, cached, and the provider's clock.

Imports `authnb.errors` and nothing else of authnb.
"""
