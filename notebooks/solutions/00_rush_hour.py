hour, mean = 8, 57.4  # by_hour["market"].idxmax(), by_hour["market"].max().round(1)
checks.rush_hour((hour, mean))
