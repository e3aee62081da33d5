import hashlib
from base64 import urlsafe_b64encode


def at_hash(access_token):
    digest = hashlib.sha256(access_token.encode()).digest()
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


checks.half_hash(at_hash)
