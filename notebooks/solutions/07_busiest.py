station, mean = "market", 24.7  # means.idxmax(), means.max().round(1); the third hint says what `means` is
checks.busiest((station, mean))
