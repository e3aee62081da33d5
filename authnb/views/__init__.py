"""What a person sees of a `Login`: the panel in a notebook, text in a terminal. Views observe; they send no HTTP.

Imports `signin` and `flows` for their types, and `errors`.
"""
