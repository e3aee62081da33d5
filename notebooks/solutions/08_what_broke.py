import checks

mended_lines = {
    "import Flask and url_for": "NameError",
    "code_challenge_method='S256'": "invalid_request",
    "token['userinfo'] in place of parse_id_token(token)": "missing 'nonce'",
    "return ...": "no valid response",
    "prompt='create'": "nothing was stored",
}
checks.what_broke(mended_lines)
