"""Where a sign-in is kept: in memory, or in encrypted files that only their owner can read.

Imports `oauth`, `transport` and `errors`.
"""
