answers = {
    "a refresh token is sent to the API": "it goes to the token endpoint, and nowhere else",
    "with rotation a refresh token works once": True,
    "a used refresh token that comes again ends the whole sign-in": True,
    "an access token is meant to be read by the client": "it is for the API; the client passes it on",
    "signing out here ends the provider's own session": "that session is in the browser, and goes on",
}
checks.true_or_false(answers)
