import checks
from urllib.parse import urlsplit


def well_known(api):
    parts = urlsplit(api)
    place = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource"
    return place + parts.path.rstrip("/") + ("?" + parts.query if parts.query else "")


checks.where_to_look(well_known)
