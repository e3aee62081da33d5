"""The session's token for other libraries, one file each, which imports that library only when it is used.

May import what stands below `authnb.session`; `source` says what an adapter needs of a session.
"""
