from base64 import urlsafe_b64encode
from hashlib import sha256


def why_not(claims, method, url, token, now):
    ath = urlsafe_b64encode(sha256(token.encode()).digest()).decode().rstrip("=")
    right = {"htm": method, "htu": url.partition("?")[0], "ath": ath}
    wrong = [name for name, value in right.items() if claims.get(name) != value]
    if not wrong and abs(now - claims.get("iat", 0)) > 60:
        wrong = ["iat"]
    return wrong[0] if wrong else None


checks.why_not(why_not)
