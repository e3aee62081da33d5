def is_ours(path):
    if not path or not path.startswith("/") or path.startswith("//"):
        return False
    return all(" " < sign != "\\" for sign in path)  # browsers drop tabs and line ends, and read a backslash as a slash


checks.safe_next(is_ours)
