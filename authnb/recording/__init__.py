"""What was said over HTTP, redacted: as a table, a sequence diagram, a report.

Imports `oauth`, `transport` and `errors`.
"""
