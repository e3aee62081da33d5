import authnb


def by_night(sign_in):
    try:
        return sign_in()
    except authnb.LoginRequired as error:
        if error.error != "interaction_required":
            raise
        return None


checks.when_nobody(by_night)
