def is_ours(path):
    if not path or not path.startswith("/"):
        return False
    return not path.startswith(("//", "/\\"))  # both name another host


checks.safe_next(is_ours)
