import checks

COMMON = {"password", "12345678", "qwertyuiop", "iloveyou"}


def problem(name, password):
    if len(password) < 8:
        return "At least 8 characters."
    if len(password) > 128:
        return "At most 128 characters."
    if password.casefold() in COMMON | {name.casefold()} or len(set(password)) < 4:
        return "This password is too easy to guess."
    return None


checks.password_problem(problem)
