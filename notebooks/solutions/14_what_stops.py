import checks

stops = {
    "a proof made with the thief's own key": "the thumbprint",
    "a copied proof, sent a second time": "jti",
    "a copied proof, at another address of the API": "htu",
    "a proof that was made for another of her tokens": "ath",
    "a proof from yesterday": "iat",
    "a package in her kernel that makes proofs": "nothing",
}
checks.what_stops(stops)
