import checks

defences = {
    "a link signs you in as somebody else": "state",
    "a code is read in a log and traded first": "PKCE",
    "a code is traded a second time": "use once",
    "an ID token says alg none": "signature",
    "an ID token for another client is shown to us": "aud",
    "an honest provider's code is sent to a bad one": "iss",
}
checks.attack_and_defence(defences)
