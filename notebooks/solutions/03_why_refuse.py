def why(claims, *, issuer, client_id, nonce, now):
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if claims["iss"] != issuer:
        return "another issuer"
    if client_id not in audience:
        return "for another client"
    if claims["exp"] <= now:
        return "it has ended"
    if claims.get("nonce") != nonce:
        return "from another sign-in"
    return None


checks.why_refuse(why)
