"""Signing in: the environment, the modes that work in it, attempts on a thread, and the `Login` the caller gets.

Imports everything but `views`, `recording` and `cli`.
"""
