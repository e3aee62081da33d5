import checks
from urllib.parse import urlsplit


def well_known(api):
    parts = urlsplit(api)
    place = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource"
    path = "" if parts.path == "/" else parts.path
    return place + path + ("?" + parts.query if parts.query else "")


checks.where_to_look(well_known)
