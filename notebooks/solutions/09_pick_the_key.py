def pick(header, keys):
    if header.get("alg") != "RS256":
        return None
    return next((key for key in keys if key["kid"] == header.get("kid")), None)


checks.pick_the_key(pick)
