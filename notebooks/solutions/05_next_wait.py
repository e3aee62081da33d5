import checks


def wait(interval, error):
    if error == "authorization_pending":
        return interval
    if error == "slow_down":
        return interval + 5
    return None


checks.next_wait(wait)
