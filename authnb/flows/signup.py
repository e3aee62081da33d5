"""Creating an account: with a form in the notebook, or on the provider's own pages.

``form``: the metadata describes an endpoint that creates accounts, and its fields, in the member
``authnb_signup`` (RFC 8414 section 2 allows additional members)::

    {"endpoint": "https://…", "fields": [{"name": …, "label": …, "kind": "text" | "email" | "password",
     "required": …, "help": …, "rule": {"pattern", "min_length", "max_length", "same_as"}}, …]}

The request body is a JSON object of strings. The response is 200 or 201 with the account's ``name``, or 4xx with
``errors``: a message, or a list of them, for each rejected field. For an endpoint with another format, the description
passed to ``Provider.discover(…, authnb_signup={…})`` has further members:

``encoding``: ``json`` or ``form``. ``send``: constant members of the request, in which ``{client_id}`` is replaced.
``name``: the member of the response with the account's name. ``errors``: the member with the messages for the fields,
or a list of members, of which the first with a text is the message.

Otherwise ``prompt=create`` (Initiating User Registration via OpenID Connect 1.0), a nonstandard authorization request
(`authnb.oauth.quirks`), or a page of the provider, ``Provider(…, sign_up_page="https://…")``; there no password passes
through the notebook.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from authnb.errors import AuthnbError, ProviderError
from authnb.flows.steps import Field, Form
from authnb.oauth.error_responses import read_oauth_error
from authnb.transport.addresses import is_readable_address, points_here_from
from authnb.transport.failures import provider_errors
from authnb.transport.http import is_secure, provider_session, read_object, text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import requests

    from authnb.flows.steps import Flow
    from authnb.oauth.client import Client
    from authnb.oauth.provider import Provider

_CREATED = {200, 201}
_MAX_FIELDS = 20
_OPERATION = "Creating the account"
_KINDS = {"text", "email", "password"}


def check_sign_up(provider: Provider, *, forms: bool) -> tuple[bool, bool]:
    """Whether an account can be created with a form (which needs ``forms``), and whether on the provider's pages.

    Raises `ProviderError` if neither.
    """
    pages = _sign_up_parameters(provider) is not None or provider.sign_up_page is not None
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
    """Whether registration is part of the authorization request, which rules out flows without one."""
    return _sign_up_parameters(provider) is not None


def page_flow(provider: Provider, sign_in: Callable[..., Flow]) -> Flow:
    """Create an account on the provider's own pages, then sign in.

    ``sign_in`` returns the sign-in flow; its arguments are parameters of the authorization request.
    """
    if (parameters := _sign_up_parameters(provider)) is not None:
        return sign_in(**parameters)
    return _after_page(sign_in(), provider.sign_up_page)


def _sign_up_parameters(provider: Provider) -> dict[str, str] | None:
    """The parameters of an authorization request that begins with registration; None without such."""
    quirks = provider.quirks
    if quirks.sign_up_parameters:
        return dict(quirks.sign_up_parameters)
    if "create" in provider.prompt_values_supported:
        return {"prompt": "create"}
    return {"endpoint": quirks.sign_up_endpoint} if quirks.sign_up_endpoint else None


def form_flow(client: Client, then: Callable[[str | None], Flow]) -> Flow:
    """Create an account with a form in the notebook, then run the flow that ``then`` returns for its name.

    Raises `ProviderError` if the form would send a password over an unencrypted connection.
    """
    form, endpoint_format = read_form(client.provider), read_endpoint_format(client)
    while True:
        values = yield form
        name, errors = _create_account(form, endpoint_format, values or {}, client.provider.response_timeout)
        del values
        if name is not None:
            break
        form = replace(form, errors=errors, tries=form.tries + 1)
    return (yield from then(name or None))


def _after_page(flow: Flow, page: str | None) -> Flow:
    first: Any = next(flow)
    yield replace(first, sign_up_uri=page)
    return (yield from flow)


def read_form(provider: Provider) -> Form:
    """The form that the metadata describes; `ProviderError` if the description is unusable."""
    described = provider.authnb_signup or {}
    endpoint, fields = described.get("endpoint"), described.get("fields")
    if not isinstance(endpoint, str) or not is_secure(endpoint):
        raise ProviderError(
            "insecure_transport",
            f"The sign-up form is not shown: it would send your password to {str(endpoint or '')[:200]!r}, which is "
            "neither https nor on this machine. Create an account on the provider's own pages.",
        )
    if not is_readable_address(endpoint) or points_here_from(provider.issuer, endpoint):
        raise ProviderError(
            "invalid_metadata",
            f"{provider.host} names a sign-up endpoint that may be on this machine, or is not ASCII. Do not sign up.",
        )
    read = [_field(item) for item in fields[:_MAX_FIELDS]] if isinstance(fields, list) else []
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
        pattern=_bounded_pattern(rule.get("pattern")),
        min_length=_count(rule.get("min_length")),
        max_length=_count(rule.get("max_length")),
        same_as=text(rule, "same_as", 60),
    )


_ATOM = r"(?:\\[dDwWsS.\-_+@/]|\[(?:[^\[\]\\]|\\[dwsDWS.\-_+@/\]])+\]|[A-Za-z0-9 _@,.'-])"
_QUANTIFIER = r"(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})"
# No groups, alternatives, look-arounds or back-references, in which a browser may need exponential time
_PATTERN = re.compile(rf"\^?(?:{_ATOM}{_QUANTIFIER}?)*\$?")
_MAX_PATTERN, _MAX_QUANTIFIERS = 200, 2  # characters; quantifiers, so at most quadratic time


def _bounded_pattern(pattern: Any) -> str | None:
    """A regular expression that cannot hang the browser; None for others, as the provider checks anyway."""
    if not isinstance(pattern, str) or len(pattern) > _MAX_PATTERN or not _PATTERN.fullmatch(pattern):
        return None
    quantifiers = re.sub(rf"{_ATOM}(?:\{{\d+\}})?", "", pattern)
    return pattern if len(re.findall(_QUANTIFIER, quantifiers)) <= _MAX_QUANTIFIERS else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


@dataclass(frozen=True, kw_only=True)
class EndpointFormat:
    """The format of a sign-up endpoint's requests and responses; see the module's docstring."""

    encoding: str = "json"
    send: Mapping[str, str]
    name: str = "name"
    errors: tuple[str, ...] | str = "errors"


def read_endpoint_format(client: Client) -> EndpointFormat:
    """The endpoint format in the description; `ProviderError` if it is unusable."""
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
    return EndpointFormat(
        encoding=encoding, send=filled, name=text(described, "name", 60) or "name", errors=errors
    )


def _create_account(
    form: Form, endpoint_format: EndpointFormat, values: Mapping[str, str], response_timeout: float
) -> tuple[str | None, dict[str, str]]:
    """The new account's name (perhaps empty); or None and the error messages by field."""
    secrets = [values.get(field.name, "") for field in form.fields if field.kind == "password"]
    names = {field.name for field in form.fields}
    body = {**endpoint_format.send, **{name: str(value) for name, value in values.items() if name in names}}
    sent: dict[str, Any] = {"json": body} if endpoint_format.encoding == "json" else {"data": body}
    try:
        with provider_errors(_OPERATION, form.endpoint), provider_session(response_timeout) as http:
            response = http.post(form.endpoint, headers={"Accept": "application/json"}, **sent)
        return read_account(response, names, [secret for secret in secrets if secret], endpoint_format)
    except AuthnbError as error:
        return None, {"": error.description}


def read_account(
    response: requests.Response,
    fields: Collection[str],
    secrets: list[str],
    endpoint_format: EndpointFormat | None = None,
) -> tuple[str | None, dict[str, str]]:
    """The new account's name (perhaps empty); or None and the error messages by field; or a `ProviderError`."""
    body = read_object(response, _OPERATION)
    endpoint_format = endpoint_format or EndpointFormat(send={})
    if response.status_code in _CREATED:
        return text(body, endpoint_format.name) or "", {}
    if isinstance(endpoint_format.errors, tuple):
        lines = (text(body, member, secrets=secrets) for member in endpoint_format.errors)
        message = next(filter(None, lines), None)
        errors = {"": message} if message else None
    else:
        errors = body.get(endpoint_format.errors)
    if not isinstance(errors, Mapping) or not errors:
        raise read_oauth_error(response, _OPERATION, secrets)
    return None, {
        name if name in fields else "": _error_message(value, secrets) for name, value in errors.items()
    }


def _error_message(value: Any, secrets: list[str]) -> str:
    """A provider's message or messages about a field, as one line without secrets."""
    items = value if isinstance(value, list) else [value]
    lines = [line for line in (text({"": item}, "", secrets=secrets) for item in items) if line]
    return " ".join(lines) or "This was not accepted."
