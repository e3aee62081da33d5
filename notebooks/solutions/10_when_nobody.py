code = "interaction_required"
checks.when_nobody(code)
