"""The forms, each with its CSRF token, its rules, and messages that a person understands."""

from __future__ import annotations

from flask_wtf import FlaskForm  # type: ignore[import-untyped] # it has no types
from wtforms import EmailField, Field, HiddenField, PasswordField, StringField, SubmitField  # type: ignore[import-untyped] # it has no types
from wtforms.validators import (  # type: ignore[import-untyped] # it has no types
    DataRequired,
    Email,
    EqualTo,
    InputRequired,
    Length,
    Regexp,
    ValidationError,
)

from authnb.demo.accounts import find_account

NAME_TAKEN = "This name is taken. Choose another, or sign in."
STALE = "This page was open for too long, or did not come from here. Nothing was changed. Please try again."
WEAK_PASSWORDS = {
    "password",
    "passw0rd",
    "12345678",
    "123456789",
    "1234567890",
    "qwertyui",
    "qwertyuiop",
    "iloveyou",
}


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form whose stale or forged CSRF token is an ordinary error of the form."""

    @property
    def stale(self) -> str | None:
        """What to tell the person when the CSRF token was not good."""
        return STALE if self.csrf_token.errors else None


def one_line(_form: Form, field: Field) -> None:
    """Refuse control characters, and marks that turn text around."""
    if field.data and not field.data.isprintable():
        raise ValidationError("Please use letters, digits, spaces and ordinary signs only.")


def strip(text: str | None) -> str | None:
    """Cut blanks that came with a paste."""
    return text.strip() if text else text


class SignUpForm(Form):
    """Create an account."""

    name: StringField = StringField(
        "Name",
        [
            DataRequired("Choose a name to sign in with."),
            Regexp(
                r"[A-Za-z0-9][A-Za-z0-9._-]{1,31}\Z",
                message="2 to 32 letters, digits, dots, dashes or underscores, a letter or digit first.",
            ),
        ],
        filters=[strip],
        description="You sign in with it.",
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )
    full_name: StringField = StringField(
        "Full name",
        [Length(max=80, message="At most 80 characters."), one_line],
        filters=[strip],
        description="Optional. What notebooks call you.",
        render_kw={"autocomplete": "name"},
    )
    email: EmailField = EmailField(
        "E-mail",
        [
            DataRequired("Enter an e-mail address; a made-up one at example.org will do."),
            Length(max=254, message="At most 254 characters."),
            Email("This is not a complete e-mail address."),
        ],
        filters=[strip],
        description="Nothing is sent. A made-up one at example.org will do.",
        render_kw={"autocomplete": "email"},
    )
    password: PasswordField = PasswordField(
        "Password",
        [
            InputRequired("Choose a password."),
            Length(min=8, message="At least 8 characters."),
            Length(max=128, message="At most 128 characters."),
        ],
        description="At least 8 characters. Long beats complicated.",
        render_kw={"autocomplete": "new-password"},
    )
    password_again: PasswordField = PasswordField(
        "Password again",
        [InputRequired("Repeat the password."), EqualTo("password", "The two passwords differ.")],
        render_kw={"autocomplete": "new-password"},
    )

    def account(self) -> dict[str, str]:
        """Give what `accounts.create_account` takes."""
        return {name: self[name].data or "" for name in ("name", "full_name", "email", "password")}

    def validate_name(self, field: Field) -> None:
        """Refuse a name that somebody has."""
        if find_account(field.data):
            raise ValidationError(NAME_TAKEN)

    def validate_password(self, field: Field) -> None:
        """Refuse what is guessed first."""
        password = (field.data or "").casefold()
        easy = WEAK_PASSWORDS | {(self.name.data or "").casefold(), (self.email.data or "").casefold()}
        if password in easy or len(set(password)) < 3:  # noqa: PLR2004 - such as abab
            raise ValidationError("This password is too easy to guess.")


class SignInForm(Form):
    """Sign in."""

    name: StringField = StringField(
        "Name",
        [DataRequired("Enter your name."), Length(max=254, message="This name is too long.")],
        filters=[strip],
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )
    password: PasswordField = PasswordField(
        "Password",
        [InputRequired("Enter your password."), Length(max=128, message="This password is too long.")],
        render_kw={"autocomplete": "current-password"},
    )


class DecisionForm(Form):
    """Yes or no; `decision` says which of the two buttons was pressed."""

    decision: HiddenField = HiddenField()

    def allowed(self) -> bool | None:
        """Whether it was yes; None if it was neither, or the form is stale."""
        if not self.validate_on_submit():
            return None
        return {"allow": True, "deny": False}.get(self.decision.data)


class UserCodeForm(Form):
    """Enter the code that a device shows."""

    user_code: StringField = StringField(
        "Code",
        [DataRequired("Enter the code that is shown to you.")],
        description="Eight letters, like WDJB-MJHT.",
        render_kw={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"},
    )


class OneTimeCodeForm(Form):
    """Enter the one-time code."""

    one_time_code: StringField = StringField(
        "Code",
        [DataRequired("Enter the code."), Length(max=16, message="The code has six digits.")],
        filters=[strip],
        description="Six digits.",
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"},
    )


class SignOutForm(Form):
    """One button, which a client that posts its own request here has not pressed."""

    submit: SubmitField = SubmitField("Sign out")

    @property
    def pressed(self) -> bool:
        """Whether it was pressed, even on a stale page."""
        return bool(self.submit.data)
