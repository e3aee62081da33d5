"""Ways to show a `Login`: they watch it and know nothing of HTTP."""
