"""Django, its settings in the same module: the app keeps its visitors' objects under a key in a cookie."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.urls import path
from markupsafe import Markup
from visitor import Visit

if TYPE_CHECKING:
    from django.http import HttpRequest

ROOT_URLCONF = __name__
SECRET_KEY = secrets.token_hex()
ALLOWED_HOSTS = ["127.0.0.1"]
PAGE = Markup("<pre>{}</pre><form method=post><button>Go on</button></form>")
visits: dict[str, Visit] = {}


def page(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return HttpResponse(PAGE.format(visits[request.COOKIES["visitor"]].finish()))
    visits[key := secrets.token_hex()] = Visit()
    response = HttpResponse(PAGE.format(visits[key].begin()))
    response.set_cookie("visitor", key, httponly=True)
    return response


urlpatterns = [path("", page)]
