helps = {
    "the table of accounts is stolen": "salted hash",
    "two people take one name at the same moment": "unique column",
    "another site sends the form in your name": "CSRF token",
    "somebody chooses the password 'password'": "validation",
}
checks.what_helps(helps)
