def keep(token):
    userinfo = token["userinfo"]
    return {name: userinfo[name] for name in ("iss", "sub", "name")}


checks.what_to_keep(keep)
