protects = {
    "the answer belongs to this browser": "state",
    "the ID token belongs to this sign-in": "nonce",
    "a stolen code is worth nothing": "code_challenge",
    "the token opens no more than needed": "scope",
}
checks.who_protects_what(protects)
