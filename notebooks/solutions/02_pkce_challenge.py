import checks
import hashlib
from base64 import urlsafe_b64encode


def challenge(verifier):
    digest = hashlib.sha256(verifier.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


checks.pkce_challenge(challenge)
