hour = 8  # by_hour["market"].idxmax()
checks.rush_hour(hour)
