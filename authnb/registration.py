"""How a person gets an account at a provider: on its own pages, or with a form shown here.

``form``: the provider describes an endpoint that creates accounts, and its fields, in the member
``authnb_signup`` of its metadata (RFC 8414 section 2 allows members of one's own)::

    {"endpoint": "https://…", "fields": [{"name": …, "label": …, "kind": "text" | "email" | "password",
     "required": …, "help": …, "rule": {"pattern", "min_length", "max_length", "same_as"}}, …]}

It takes a JSON object of texts. It answers 200 or 201 with the account's ``name``, or 4xx with ``errors``: a
message or several for each field that has some. For an endpoint with other manners the description, given by
hand to ``Provider.discover(…, authnb_signup={…})``, says those too:

``encoding``: ``json``, or ``form``. ``send``: texts sent along, in which ``{client_id}`` is the client's.
``name``: the member of the answer that names the account. ``errors``: the member with the messages of the fields;
or a list of members, of which the first that holds a text says what was wrong.

Otherwise ``prompt=create`` (Initiating User Registration via OpenID Connect 1.0), what else makes the provider's
page begin with a new account (`authnb.quirks`), or a page named by hand, ``Provider(…, sign_up_page="https://…")``:
there no password touches the notebook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from authnb.answers import read_refusal
from authnb.errors import AuthnbError, ProviderError
from authnb.flows import Field, Form
from authnb.transport import asking, is_loopback, is_secure, provider_session, read_object, text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import requests

    from authnb.client import Client
    from authnb.flows import Flow
    from authnb.provider import Provider

_CREATED = {200, 201}
_MOST_FIELDS = 20
_CREATING = "Creating the account"
_KINDS = {"text", "email", "password"}


def check_sign_up(provider: Provider, *, forms: bool) -> tuple[bool, bool]:
    """Whether an account can be created with a form, if one can be shown (``forms``), and on the provider's pages.

    Raises `ProviderError` if neither.
    """
    pages = _beginning(provider) is not None or provider.sign_up_page is not None
    form = forms and provider.authnb_signup is not None
    if not form and not pages:
        where = "; its own form needs a notebook with widgets" if provider.authnb_signup else ""
        note = provider.quirks.sign_up_note
        raise ProviderError(
            "not_supported",
            f"{provider.host} does not say how an account can be created (prompt=create){where}. "
            f"{note + ' ' if note else ''}Create one on its own pages, {provider.issuer}, "
            "then sign in with authnb.login.",
        )
    return form, pages


def begins_with_account(provider: Provider) -> bool:
    """Whether the authorization request itself begins with a new account: then there must be one."""
    return _beginning(provider) is not None


def page_flow(provider: Provider, sign_in: Callable[..., Flow]) -> Flow:
    """Create an account on the provider's own pages, then sign in.

    ``sign_in`` gives the flow that does, with the parameters for its authorization request.
    """
    if (begin := _beginning(provider)) is not None:
        return sign_in(**begin)
    return _after_page(sign_in(), provider.sign_up_page)


def _beginning(provider: Provider) -> dict[str, str] | None:
    """What makes an authorization request begin with a new account; None where nothing does."""
    quirks = provider.quirks
    if quirks.sign_up_parameters:
        return dict(quirks.sign_up_parameters)
    if "create" in provider.prompt_values_supported:
        return {"prompt": "create"}
    return {"endpoint": quirks.sign_up_endpoint} if quirks.sign_up_endpoint else None


def form_flow(client: Client, then: Callable[[str | None], Flow]) -> Flow:
    """Create an account with a form shown here, then sign in by the flow that ``then`` gives for its name.

    Raises `ProviderError` if the form would send a password where it can be read on the way.
    """
    form, manners = read_form(client.provider), read_manners(client)
    while True:
        answers = yield form
        created, errors = _create_account(form, manners, answers or {})
        del answers
        if created is not None:
            break
        form = replace(form, errors=errors, tries=form.tries + 1)
    return (yield from then(created or None))


def _after_page(flow: Flow, page: str | None) -> Flow:
    first: Any = next(flow)
    yield replace(first, sign_up_uri=page)
    return (yield from flow)


def read_form(provider: Provider) -> Form:
    """The form that a provider describes, checked; or a `ProviderError`."""
    described = provider.authnb_signup or {}
    endpoint, fields = described.get("endpoint"), described.get("fields")
    if not isinstance(endpoint, str) or not is_secure(endpoint):
        raise ProviderError(
            "insecure_transport",
            f"The sign-up form is not shown: it would send your password to {str(endpoint)[:200]!r}, which is "
            "neither https nor on this machine. Create an account on the provider's own pages.",
        )
    if is_loopback(endpoint) and not is_loopback(provider.issuer):
        raise ProviderError(
            "invalid_metadata",
            f"{provider.host} names a sign-up endpoint on this machine, where it has no business. Do not sign up.",
        )
    read = [_field(item) for item in fields[:_MOST_FIELDS]] if isinstance(fields, list) else []
    if not read or None in read:
        raise ProviderError(
            "invalid_metadata", f"{provider.host} describes its sign-up form in a way that cannot be used."
        )
    return Form(endpoint=endpoint, fields=tuple(item for item in read if item))


def _field(item: Any) -> Field | None:
    if not isinstance(item, Mapping) or (name := text(item, "name", 60)) is None:
        return None
    rule: Mapping[str, Any] = item["rule"] if isinstance(item.get("rule"), Mapping) else {}
    kind = item.get("kind")
    return Field(
        name=name,
        label=text(item, "label", 60) or name,
        kind=kind if isinstance(kind, str) and kind in _KINDS else "text",
        required=item.get("required") is True,
        help=text(item, "help") or "",
        pattern=text(rule, "pattern"),
        min_length=_count(rule.get("min_length")),
        max_length=_count(rule.get("max_length")),
        same_as=text(rule, "same_as", 60),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How a sign-up endpoint is spoken to; the fields are described above."""

    encoding: str = "json"
    send: Mapping[str, str]
    name: str = "name"
    errors: tuple[str, ...] | str = "errors"


def read_manners(client: Client) -> Manners:
    """What the description says of this, checked; or a `ProviderError`."""
    described = client.provider.authnb_signup or {}
    encoding, send = described.get("encoding", "json"), described.get("send", {})
    errors = described.get("errors", "errors")
    if isinstance(errors, list) and all(isinstance(member, str) for member in errors):
        errors = tuple(errors)
    texts = isinstance(send, Mapping) and all(isinstance(value, str) for value in send.values())
    if encoding not in {"json", "form"} or not texts or not isinstance(errors, str | tuple):
        raise ProviderError(
            "invalid_metadata",
            f"{client.provider.host} describes its sign-up form in a way that cannot be used: encoding is 'json' or "
            "'form', send holds texts, errors is one name or a list of names.",
        )
    filled = {name: value.replace("{client_id}", client.client_id) for name, value in send.items()}
    return Manners(encoding=encoding, send=filled, name=text(described, "name", 60) or "name", errors=errors)


def _create_account(
    form: Form, manners: Manners, answers: Mapping[str, str]
) -> tuple[str | None, dict[str, str]]:
    """The new account's name (perhaps empty), or None and what was wrong with which field."""
    secrets = [answers.get(field.name, "") for field in form.fields if field.kind == "password"]
    known = {field.name for field in form.fields}
    body = {**manners.send, **{name: str(value) for name, value in answers.items() if name in known}}
    sent: dict[str, Any] = {"json": body} if manners.encoding == "json" else {"data": body}
    try:
        with asking(_CREATING, form.endpoint), provider_session() as http:
            response = http.post(form.endpoint, headers={"Accept": "application/json"}, **sent)
        return read_account(response, known, [secret for secret in secrets if secret], manners)
    except AuthnbError as error:
        return None, {"": error.description}


def read_account(
    response: requests.Response, known: Collection[str], secrets: list[str], manners: Manners | None = None
) -> tuple[str | None, dict[str, str]]:
    """The new account's name (perhaps empty), or None and what was wrong with which field; or a `ProviderError`."""
    answer = read_object(response, _CREATING)
    manners = manners or Manners(send={})
    if response.status_code in _CREATED:
        return text(answer, manners.name) or "", {}
    if isinstance(manners.errors, tuple):
        said = next((line for member in manners.errors if (line := text(answer, member))), None)
        errors = {"": said} if said else None
    else:
        errors = answer.get(manners.errors)
    if not isinstance(errors, Mapping) or not errors:
        raise read_refusal(response, _CREATING, secrets)
    return None, {name if name in known else "": _message(said, secrets) for name, said in errors.items()}


def _message(said: Any, secrets: list[str]) -> str:
    """What a provider says about a field, as one line that repeats no secret."""
    several = said if isinstance(said, list) else [said]
    lines = [line for line in (text({"": one}, "") for one in several) if line]
    message = " ".join(lines) or "This was not accepted."
    for secret in secrets:
        message = message.replace(secret, "…")
    return message
