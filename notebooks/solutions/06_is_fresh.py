import checks


def fresh(token, now):
    expires_at = token.get("expires_at")
    return expires_at is None or now < expires_at - 60


checks.is_fresh(fresh)
