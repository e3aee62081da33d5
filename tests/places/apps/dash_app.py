"""Dash: the app keeps its visitors' objects under a key in a ``dcc.Store`` of the page."""

import os
import secrets

from dash import Dash, Input, Output, State, callback, dcc, html
from visitor import Visit

visits: dict[str, Visit] = {}
app = Dash()
app.layout = [dcc.Store(id="visitor"), html.Pre(id="text"), html.Button("Go on", id="button")]


@callback(
    Output("text", "children"),
    Output("visitor", "data"),
    Input("button", "n_clicks"),
    State("visitor", "data"),
)
def show(_: int | None, visitor: str | None) -> tuple[str, str]:
    if visitor is not None:
        return visits[visitor].finish(), visitor
    visits[key := secrets.token_hex()] = Visit()
    return visits[key].begin(), key


app.run(port=os.environ["PORT"])
