def why(claims, *, issuer, client_id, nonce, now):
    audience = claims.get("aud")
    if not isinstance(audience, list):
        audience = [audience]
    if claims.get("iss") != issuer:
        return "another issuer"
    if client_id not in audience:
        return "for another client"
    if claims.get("exp", 0) <= now:
        return "it has ended"
    if claims.get("nonce") != nonce:
        return "from another sign-in"
    return None


checks.why_refuse(why)
