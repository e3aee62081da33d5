"""What was said over HTTP, redacted: as a table, a sequence diagram, a report.

Imports `transport` and `errors`.
"""
