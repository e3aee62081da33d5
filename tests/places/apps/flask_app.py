"""Flask: the app keeps its visitors' objects under a key in their session cookie."""

from __future__ import annotations

import secrets

from flask import Flask, session
from markupsafe import Markup
from visitor import Visit

app = Flask(__name__)
app.secret_key = secrets.token_hex()
visits: dict[str, Visit] = {}
PAGE = Markup("<pre>{}</pre><form method=post><button>Go on</button></form>")


@app.get("/")
def begin() -> str:
    session["visitor"] = key = secrets.token_hex()
    visits[key] = Visit()
    return PAGE.format(visits[key].begin())


@app.post("/")
def finish() -> str:
    return PAGE.format(visits[session["visitor"]].finish())
