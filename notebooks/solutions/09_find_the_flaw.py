import checks

flaws = {
    "one": "Who sends no verifier is not asked for one.",
    "two": "The callback never compares the state with the one that was sent.",
    "three": "Nobody looks at aud: a token for another client is accepted.",
    "four": "The callback does not check iss, so it does not know who answered.",
    "five": "The secret key stands in the program, so anybody can sign a cookie.",
}
checks.find_the_flaw(flaws)
