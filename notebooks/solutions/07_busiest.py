station = "market"  # air.groupby("station")["no2"].mean().idxmax()
checks.busiest(station)
