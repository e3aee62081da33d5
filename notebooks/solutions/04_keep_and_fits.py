from werkzeug.security import check_password_hash, generate_password_hash


def keep(password):
    return generate_password_hash(password)


def fits(kept, password):
    return check_password_hash(kept, password)


checks.keep_and_fits((keep, fits))
