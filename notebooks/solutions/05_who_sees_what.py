sees = {
    "user_code": "the person",
    "device_code": "the client",
    "verification_uri": "the person",
    "access_token": "the client",
}
checks.who_sees_what(sees)
