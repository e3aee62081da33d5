import checks

meant_for = {
    "your password": "the provider",
    "the ID token": "the notebook",
    "the access token": "the API",
}
checks.meant_for(meant_for)
