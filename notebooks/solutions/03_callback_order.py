import checks

order = ["state", "iss", "error", "code"]
checks.callback_order(order)
