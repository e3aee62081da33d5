"""FastAPI: the app keeps its visitors' objects under a key in a cookie."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Cookie, FastAPI
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from visitor import Visit

app = FastAPI()
visits: dict[str, Visit] = {}
PAGE = Markup("<pre>{}</pre><form method=post><button>Go on</button></form>")


async def begin() -> HTMLResponse:
    """On the event loop of the main thread."""
    return begin_in_a_thread()


@app.get("/threads")
def begin_in_a_thread() -> HTMLResponse:
    """In Starlette's pool of threads."""
    visits[key := secrets.token_hex()] = Visit()
    response = HTMLResponse(PAGE.format(visits[key].begin()))
    response.set_cookie("visitor", key, httponly=True)
    return response


@app.post("/")
@app.post("/threads")
def finish(visitor: Annotated[str, Cookie()]) -> HTMLResponse:
    return HTMLResponse(PAGE.format(visits[visitor].finish()))


app.get("/")(begin)
