def keep(token):
    userinfo = token["userinfo"]
    return {"sub": userinfo["sub"], "name": userinfo["name"]}


checks.what_to_keep(keep)
