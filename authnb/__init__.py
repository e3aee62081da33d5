"""Sign in and sign up from a Jupyter notebook."""
