import checks


def address(issuer):
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


checks.well_known(address)
