from urllib.parse import urlsplit


def whom_to_trust(api, read_from, document):
    same_origin = urlsplit(read_from)[:2] == urlsplit(api)[:2]
    if not same_origin or document.get("resource") != api:
        return []
    return document.get("authorization_servers", [])


checks.whom_to_trust(whom_to_trust)
