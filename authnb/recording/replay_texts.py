"""The titles of messages, and a sentence on what each does and why, by the kind of exchange."""

from __future__ import annotations

import re


def _table(text: str) -> dict[str, tuple[str, str]]:
    """By kind: the title, and the sentence that is indented below it."""
    rows = re.findall(r"^(\w+): (.+)\n((?:    .+\n)+)", text, re.MULTILINE)
    return {kind: (title, " ".join(says.split())) for kind, title, says in rows}


REQUESTS = _table("""
metadata: The notebook asks for the provider's metadata
    It knows only the provider's issuer, and asks where the endpoints are and what is supported.
resource_metadata: The notebook asks the API where to sign in
    It knows only the API's address, and asks which provider gives out tokens for it.
jwks: The notebook asks for the provider's public keys
    With them it will check that an ID token was signed by this provider.
registration: The notebook registers as a client
    It has no client id here yet, so it tells the provider its name and where codes may be sent.
pushed_authorization_request: The notebook pushes the authorization request
    All parameters go to the provider itself, so that the browser carries only a reference to them.
redirect_check: The notebook checks its redirect URI
    It sends an authorization request that allows no page (prompt=none), as nobody is to sign in by it. It only wants
    to see whether the provider redirects to this address.
authorization: Your browser carries the request to the provider
    The notebook does not ask for your password: it sends your browser to the provider, with what it asks for in
    the address.
sign_up: You create an account
    The form goes from your browser to the provider; the notebook never sees the password.
password: You sign in
    Your password goes from your browser to the provider, on the provider's own page; the notebook never sees
    it.
decision: You decide
    You tell the provider whether the notebook may have what it asks for.
form: You send a form to the provider
    What you fill in goes from your browser to the provider; the notebook does not see it.
logout: Your browser signs out at the provider
    Tokens are one thing, and your session at the provider is another: this ends the session.
device_page: You open the provider's page for the code
    On any device: the code tells the provider which waiting program you mean.
callback: Your browser brings the response to the notebook
    The redirect leads your browser to the notebook's own address, with the response in the query.
device_authorization: The notebook asks for a device code
    No browser can come back to the notebook, so it asks for a code that you enter elsewhere.
code_grant: The notebook exchanges the code for tokens
    It asks the provider directly, past the browser, and shows with the verifier that it began this sign-in.
refresh_grant: The notebook exchanges the refresh token for a new access token
    An access token lives only for a while; it is renewed without asking you again.
device_grant: The notebook asks whether you have decided
    It polls: it asks for tokens with the device code until you have said yes or no.
client_grant: The notebook asks for a token of its own
    No person takes part: it signs in as itself, with its own credentials.
exchange_grant: The notebook exchanges one token for another
    It gives the provider a token that it has, and asks for one for another use.
other_grant: The notebook asks for tokens
    It asks the token endpoint, with a grant of another kind.
userinfo: The notebook asks who you are
    It sends the access token, and gets what the scope lets it know about you.
revoke: The notebook revokes a token
    You sign out: from now on nobody is to be able to use this token.
api: The notebook calls the API
    The notebook asks the API for data.
unknown: The notebook sends a request of another kind
    It belongs to no step of a sign-in that this view knows.
""")
RESPONSES = _table("""
metadata: The provider's metadata
    The provider names its endpoints and what it supports.
resource_metadata: The API's metadata
    The API names the providers whose tokens it takes.
jwks: The provider's public keys
    Anybody may have them: they check a signature, and cannot make one.
registration: A client id
    From now on the provider knows the notebook by this client id.
pushed_authorization_request: A reference to the request
    The provider keeps the parameters; the reference is good for a short time.
redirect_accepted: The provider accepts the redirect URI
    It redirects there, which is what the notebook wanted to see. The error is expected: without a page nobody can sign
    in.
redirect_kept: The provider accepts the redirect URI
    It has taken the request, which it would not do with a redirect URI that it does not accept. The notebook makes no
    use of the reference.
redirect_refused: The provider does not accept the redirect URI
    It redirects nowhere: most likely this address is not registered for the client. The notebook goes another way, or
    tells you what to register.
redirect_open: The provider does not tell
    Whether it accepts the redirect URI cannot be seen from this answer. The sign-in itself will show it.
authorization: The provider shows a page
    It asks you on its own page, which the notebook does not see.
consent_page: The provider asks you for consent
    It now knows who you are, and asks whether the notebook may have what it asks for.
sign_up_page: The provider shows its sign-up page
    It asks for the details of a new account.
sign_in_page: The provider shows its sign-in page
    The page is the provider's own: look at the address before you type a password.
device_page: The provider shows a page
    It asks whether the waiting program is yours.
page: The provider shows a page
    It is between you and the provider.
form: The provider goes on
    It has what you filled in.
sign_up: The provider goes on
    It has the details of the new account.
password: The provider goes on
    It now knows who you are.
decision: The provider has your answer
    You can leave the page: what follows is between the notebook and the provider.
logout: The provider goes on
    The session of your browser has ended, or the provider asks whether it should.
callback: The notebook shows a page
    You can close it: the rest goes on without your browser.
device_authorization: A device code and a user code
    The notebook shows you the user code, and keeps the device code to itself.
code_grant: The tokens
    Code and verifier fit: the tokens go to the notebook itself, and the browser never sees them.
refresh_grant: New tokens
    The provider gives a new access token, and nobody had to be asked.
device_grant: The tokens
    You said yes: the tokens go to the program that polled.
client_grant: An access token
    It stands for the notebook, and for no person.
exchange_grant: Another token
    The provider gives a token for the other use.
other_grant: Tokens
    The provider gives tokens.
userinfo: Who you are
    The provider says about you what the scope allows.
revoke: Done
    The provider no longer accepts this token. An API that checks tokens by itself may accept it until it expires.
api: The data
    The API accepts the request, and answers.
unknown: An answer
    It belongs to no step of a sign-in that this view knows.
""")
REFUSED = "Refused: {error}"
STATUS = "HTTP status {status}"
API_FAILS = "The API does not do what was asked."
PROVIDER_FAILS = "The provider does not do what was asked."
ERRORS = {
    "access_denied": "Somebody said no: you, or the provider for you.",
    "authorization_pending": "You have not decided yet: the notebook waits, and asks again.",
    "slow_down": "The notebook asks too often, and waits longer from now on.",
    "expired_token": "The code is too old: nobody entered it in time.",
    "invalid_grant": "What was to be exchanged does not fit, is too old, or was used before.",
    "invalid_client": "The provider does not know this client, or its credentials are wrong.",
    "invalid_request": "Something in the request is missing or wrong.",
    "invalid_scope": "The scope that was asked for is unknown or malformed, or more than this client may have.",
    "invalid_target": "The provider gives no tokens for the API that was asked for.",
    "invalid_redirect_uri": "The provider does not take this redirect URI.",
    "invalid_token": "The access token is expired, revoked or malformed, or not for this API.",
    "insufficient_scope": "The access token does not allow this.",
    "insufficient_user_authentication": "The API wants you to have signed in more recently, or more strongly.",
    "unauthorized_client": "This client may not make this kind of request.",
    "unsupported_grant_type": "The provider does not know this kind of grant.",
    "unsupported_response_type": "The provider does not know this kind of response.",
    "login_required": "The provider would have to ask you to sign in, and was told not to ask.",
    "interaction_required": "The provider would have to ask you something, and was told not to ask.",
    "consent_required": "The provider would have to ask for your consent, and was told not to ask.",
    "use_dpop_nonce": "The proof of possession has to hold a nonce of the server's: the request is made once more.",
    "invalid_dpop_proof": "The proof of possession is missing, or is not one for this request.",
    "temporarily_unavailable": "The provider cannot answer now.",
    "server_error": "Something went wrong at the provider.",
}
# Errors that are part of a sign-in that goes on
NOT_REFUSED = {
    "authorization_pending": "Not yet",
    "slow_down": "Not yet, and not so often",
    "use_dpop_nonce": "Once more, with a nonce",
}
