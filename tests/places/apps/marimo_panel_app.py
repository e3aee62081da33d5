"""``marimo run``: each visitor has a panel of their own."""

import marimo

app = marimo.App()


@app.cell
def _():
    import os

    import authnb

    authnb.login(os.environ["ISSUER"], client_id=os.environ["CLIENT_ID"], mode="device")


if __name__ == "__main__":
    app.run()
