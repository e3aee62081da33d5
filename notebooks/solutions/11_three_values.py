values = {"issuer", "client_id", "api"}
checks.three_values(values)
