answers = {
    "a refresh token is sent to the API": False,
    "with rotation a refresh token works once": True,
    "a used refresh token that comes again ends the whole sign-in": True,
    "an access token can be read by the client": False,
    "signing out here ends the provider's own session": False,
}
checks.true_or_false(answers)
