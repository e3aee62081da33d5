"""The same sign-in for workers: the kernel keeps the refresh token, and hands out short-lived access tokens.

One file for each kind of worker, over what they have in common. May import everything below the session.
"""
