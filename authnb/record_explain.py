"""What the parameters of a sign-in mean, where a standard says so, and which of them may be shown."""

from __future__ import annotations

from dataclasses import dataclass

_BASES = {
    "RFC": "https://www.rfc-editor.org/rfc/rfc{number}.html#section-{section}",
    "Core": "https://openid.net/specs/openid-connect-core-1_0.html",
    "Discovery": "https://openid.net/specs/openid-connect-discovery-1_0.html",
    "Logout": "https://openid.net/specs/openid-connect-rpinitiated-1_0.html",
    "Create": "https://openid.net/specs/openid-connect-prompt-create-1_0.html",
}


@dataclass(frozen=True)
class Explanation:
    """One line of meaning; ``source`` is such as ``RFC 6749 4.1.1`` or ``Core 3.1.2.1``."""

    meaning: str
    source: str
    public: bool

    @property
    def link(self) -> str:
        """The address of the section."""
        parts = self.source.split()
        if parts[0] == "RFC":
            return _BASES["RFC"].format(number=parts[1], section=parts[2])
        return _BASES[parts[0]]


def _table(text: str, *, public: bool) -> dict[str, Explanation]:
    rows = [[part.strip() for part in line.split("|")] for line in text.strip().splitlines()]
    return {name: Explanation(meaning, source, public) for name, source, meaning in rows}


# What may be shown as it is: it opens nothing, and tells nothing of a person
_PUBLIC = """
response_type | RFC 6749 3.1.1 | what the client wants back: a code
client_id | RFC 6749 2.2 | the client's name at the provider; no secret
redirect_uri | RFC 6749 3.1.2 | where the browser is to bring the answer
scope | RFC 6749 3.3 | what is asked for, or was granted
code_challenge_method | RFC 7636 4.3 | how the challenge was made of the verifier: S256
prompt | Core 3.1.2.1 | which pages the person is to see; create asks for a new account
max_age | Core 3.1.2.1 | seconds since the last sign-in that still count
response_mode | Core 3.1.2.1 | how the answer travels
grant_type | RFC 6749 4.1.3 | what is traded for tokens
token_type | RFC 6749 7.1 | how the access token is used: Bearer, whoever holds it may use it
token_type_hint | RFC 7009 2.1 | which kind of token is to be revoked
expires_in | RFC 6749 5.1 | seconds the access token, or the device code, lives
interval | RFC 8628 3.2 | seconds between two polls
verification_uri | RFC 8628 3.2 | where the person enters the code
error | RFC 6749 5.2 | why not, as a code for programs
error_description | RFC 6749 5.2 | why not, for people
iss | RFC 9207 2 | who answers: the issuer's address
issuer | RFC 8414 2 | the provider's own name for itself
authorization_endpoint | RFC 8414 2 | where the browser is sent
token_endpoint | RFC 8414 2 | where codes are traded for tokens
jwks_uri | RFC 8414 2 | where the provider's public keys are
userinfo_endpoint | Discovery 3 | where the access token buys claims about the person
device_authorization_endpoint | RFC 8628 4 | where a device asks for its codes
revocation_endpoint | RFC 8414 2 | where a token is taken back
end_session_endpoint | Logout 2.1 | where the browser ends its session
registration_endpoint | RFC 8414 2 | where a client registers itself
code_challenge_methods_supported | RFC 8414 2 | which kinds of PKCE the provider checks
grant_types_supported | RFC 8414 2 | which trades the provider offers
scopes_supported | RFC 8414 2 | which scopes a client may ask for
response_types_supported | RFC 8414 2 | what a client can get back: a code
response_modes_supported | RFC 8414 2 | how answers can travel
token_endpoint_auth_methods_supported | RFC 8414 2 | how clients show who they are; none is for public ones
revocation_endpoint_auth_methods_supported | RFC 8414 2 | how they do when they take a token back
id_token_signing_alg_values_supported | Discovery 3 | how ID tokens are signed
subject_types_supported | Discovery 3 | whether all clients see the same sub
claims_supported | Discovery 3 | what an ID token may say
prompt_values_supported | Create 4 | which pages a client may ask for
service_documentation | RFC 8414 2 | where people read about it
authorization_response_iss_parameter_supported | RFC 9207 3 | whether its answers say who answers
aud | Core 2 | for which client the ID token is meant
azp | Core 2 | the client that asked for it
exp | Core 2 | when the ID token ends
iat | Core 2 | when it was issued
auth_time | Core 2 | when the person signed in
typ | RFC 7519 5.1 | what kind of object this is: JWT, a JSON Web Token
alg | RFC 7515 4.1.1 | how it is signed
Content-Type | RFC 9110 8.3 | what kind of text this is
Location | RFC 9110 10.2.2 | where the browser goes next; its parameters follow
WWW-Authenticate | RFC 6750 3 | what is missing for an answer
Retry-After | RFC 9110 10.2.3 | when to come back
Cache-Control | RFC 9111 5.2 | who may keep a copy, and how long; no-store: nobody
"""

# Of these only the length is shown
_HIDDEN = """
state | RFC 6749 10.12 | ties the answer to the browser that asked
nonce | Core 3.1.2.1 | ties the ID token to this sign-in
code_challenge | RFC 7636 4.2 | the hash of a secret that only the client knows
code_verifier | RFC 7636 4.5 | that secret: proof that asker and redeemer are one
code | RFC 6749 4.1.2 | to be traded once, soon, for tokens
access_token | RFC 6749 1.4 | opens the API to whoever holds it
refresh_token | RFC 6749 1.5 | buys a new access token, without the person
id_token | Core 2 | who signed in, signed by the provider; taken apart below
client_secret | RFC 6749 2.3.1 | the client's password
token | RFC 7009 2.1 | the token to take back
device_code | RFC 8628 3.2 | the device's half of the secret; never shown to anybody
user_code | RFC 8628 3.2 | the person's half, short enough to type
verification_uri_complete | RFC 8628 3.3.1 | the address with the code in it
login_hint | Core 3.1.2.1 | whom the sign-in page suggests
id_token_hint | Logout 2 | who wants to sign out
Authorization | RFC 6750 2.1 | the access token, or the client's name and secret
Cookie | RFC 6265 4.2 | how the provider knows this browser again
Set-Cookie | RFC 6265 4.1 | how the provider will know this browser again
sub | Core 2 | the person's number at this provider
name | Core 5.1 | the person's full name
preferred_username | Core 5.1 | the name the person signs in with
email | Core 5.1 | the person's address
email_verified | Core 5.1 | whether the provider has checked it
at_hash | Core 3.1.3.6 | half a hash of the access token: the two belong together
kid | RFC 7515 4.1.4 | which of the provider's keys signed
keys | RFC 7517 5.1 | the provider's public keys
password | RFC 6749 10.7 | goes from the person's page to the provider; a client never sees it
csrf_token | RFC 6749 10.12 | proof that the form came from the provider's own page
"""

EXPLANATIONS = {**_table(_PUBLIC, public=True), **_table(_HIDDEN, public=False)}
