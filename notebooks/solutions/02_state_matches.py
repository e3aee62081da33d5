import hmac


def matches(sent, received):
    if not sent or not received:
        return False
    return hmac.compare_digest(sent.encode(), received.encode())  # the same time for each wrong guess


checks.state_matches(matches)
