"""What ``authnb scan`` takes for a secret, as data: formats of tokens by provider, names of secrets, and examples."""

from __future__ import annotations

# (what it is, how it starts, what follows). Repetitions are bounded, so that each start costs bounded time.
FORMATS = (
    (
        "a JSON Web Token",
        "eyJ",
        r"[\w-]{10,4000}\.[\w-]{10,8000}\.(?!…)[\w-]{0,4000}(?:\.[\w-]{1,4000}){0,2}",
    ),
    ("a private key", "-----BEGIN ", r"[A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"),
    ("a private key", "PuTTY-User-Key-File-", r"\d: \S"),
    ("a private key", "AGE-SECRET-KEY-1", r"[A-Z0-9]{40,80}"),
    # of a JWK (RFC 7518 sections 6.2.2 and 6.3.2), as JSON and as Python writes it
    *(
        ("a private key", start, r"[\w-]{43,1400}(?=\\?[\"'])")
        for start in ('"d":"', '"d": "', "'d': '", '\\"d\\": \\"')
    ),
    # source code and packages
    *(("a GitHub token", f"gh{kind}_", r"\w{20,255}") for kind in "opsur"),
    ("a GitHub token", "github_pat_", r"\w{20,255}"),
    *(
        ("a GitLab token", start, r"[\w.-]{16,300}")
        for start in ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "gloas-", "glsoat-", "glft-")
    ),
    ("a Bitbucket token", "ATBB", r"[A-Za-z0-9]{28,60}"),
    ("an Atlassian token", "ATATT3", r"[\w=-]{60,300}"),
    ("a PyPI token", "pypi-", r"AgE[\w-]{30,500}"),
    ("a PyPI token", "pypi-", r"[\w-]{60,500}"),
    ("an npm token", "npm_", r"[A-Za-z0-9]{30,60}"),
    ("a RubyGems token", "rubygems_", r"[a-f0-9]{40,60}"),
    ("a Docker token", "dckr_pat_", r"[\w-]{20,60}"),
    ("an Anaconda token", "https://conda.anaconda.org/t/", r"[\w-]{10,80}"),
    # models and data
    *(
        ("an OpenAI key", start, r"[\w-]{20,300}")
        for start in ("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-")
    ),
    ("an Anthropic key", "sk-ant-", r"[\w-]{20,200}"),
    ("an OpenRouter key", "sk-or-", r"[\w-]{20,100}"),
    ("a Langfuse key", "sk-lf-", r"[\w-]{30,60}"),
    ("an API key (sk-…)", "sk-", r"(?=[A-Za-z]{0,64}\d)[A-Za-z0-9]{20,100}"),
    ("a Hugging Face token", "hf_", r"[A-Za-z0-9]{30,60}"),
    ("a Hugging Face token", "api_org_", r"[A-Za-z0-9]{30,60}"),
    ("a Groq key", "gsk_", r"[A-Za-z0-9]{30,80}"),
    ("a Replicate token", "r8_", r"[A-Za-z0-9]{30,60}"),
    ("a Perplexity key", "pplx-", r"[A-Za-z0-9]{30,80}"),
    ("an xAI key", "xai-", r"[A-Za-z0-9]{40,120}"),
    ("an NVIDIA key", "nvapi-", r"[\w-]{40,120}"),
    ("a Fireworks key", "fw_", r"[A-Za-z0-9]{20,40}"),
    ("a Tavily key", "tvly-", r"[\w-]{20,60}"),
    ("a LangSmith key", "lsv2_", r"(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"),
    ("a Pinecone key", "pcsk_", r"\w{40,120}"),
    ("a Weights & Biases key", "wandb login ", r"(?:--relogin )?[a-f0-9]{40}\b"),
    ("a Weights & Biases key", "wandb_v1_", r"\w{40,120}"),
    ("a Databricks token", "dapi", r"[a-f0-9]{32}(?:-\d)?\b"),
    # clouds
    *(("an AWS key", start, r"[A-Z\d]{16}\b") for start in ("AKIA", "ASIA", "ABIA", "ACCA")),
    ("an AWS key", "ABSK", r"[A-Za-z0-9+/]{90,300}={0,2}"),
    ("a Google token", "ya29.", r"[\w-]{16,2000}"),
    ("a Google token", "1//0", r"[\w-]{20,500}"),
    ("a Google token", "GOCSPX-", r"[\w-]{16,60}"),
    ("a Google token", "AIza", r"[\w-]{30,60}"),
    ("a DigitalOcean token", "dop_v1_", r"[a-f0-9]{40,80}"),
    ("a HashiCorp Vault token", "hvs.", r"[\w-]{20,200}"),
    ("a Terraform token", ".atlasv1.", r"[\w-]{40,100}"),
    ("a Doppler token", "dp.pt.", r"[A-Za-z0-9]{30,60}"),
    ("a Cloudflare token", "v1.0-", r"[a-f0-9]{24}-[a-f0-9]{100,200}"),
    ("a Supabase key", "sbp_", r"[a-f0-9]{40}\b"),
    ("a Supabase key", "sb_secret_", r"[\w-]{20,60}"),
    ("a PlanetScale password", "pscale_pw_", r"[\w.-]{30,70}"),
    ("a 1Password token", "ops_eyJ", r"[A-Za-z0-9+/]{100,2000}"),
    # services
    *(("a Slack token", f"xox{kind}-", r"[\w.-]{10,300}") for kind in "abceoprsd"),
    ("a Slack token", "xapp-", r"\d-[\w-]{20,200}"),
    ("a Slack webhook", "hooks.slack.com/", r"(?:services|workflows|triggers)/[\w/]{20,120}"),
    ("a Discord webhook", "discord.com/api/webhooks/", r"\d{10,25}/[\w-]{40,100}"),
    ("a Teams webhook", "webhook.office.com/webhookb2/", r"[\w@/-]{40,300}"),
    *(
        ("a Stripe key", f"{kind}_{place}_", r"[A-Za-z0-9]{16,250}")
        for kind in ("sk", "rk")
        for place in ("live", "test", "prod")
    ),
    ("a Stripe key", "whsec_", r"[A-Za-z0-9+/]{24,80}"),
    ("a SendGrid key", "SG.", r"[\w-]{16,40}\.[\w-]{30,60}"),
    ("a Twilio key", "SK", r"[0-9a-f]{32}\b"),
    ("a Mailgun key", "key-", r"[0-9a-f]{32}\b"),
    ("a Mailchimp key", "-us", r"(?<=[0-9a-f]{32}-us)\d{1,2}\b"),
    ("a Shopify token", "shpat_", r"[A-Fa-f0-9]{32}\b"),
    ("a Notion token", "ntn_", r"[A-Za-z0-9]{40,60}"),
    ("a Notion token", "secret_", r"[A-Za-z0-9]{43}\b"),
    ("a Linear key", "lin_api_", r"[A-Za-z0-9]{30,60}"),
    ("a Grafana token", "glsa_", r"[A-Za-z0-9]{32}_[a-f0-9]{8}"),
    ("a Grafana token", "glc_", r"[A-Za-z0-9+/]{32,400}={0,2}"),
    ("a New Relic key", "NRAK-", r"[A-Z0-9]{27}\b"),
    ("a Postman key", "PMAK-", r"[a-f0-9]{24}-[a-f0-9]{34}"),
    ("an Airtable token", "pat", r"[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    ("a Sentry token", "sntrys_", r"[\w+/=]{40,300}"),
    ("a Figma token", "figd_", r"[\w-]{30,60}"),
    ("a Mapbox token", "sk.eyJ", r"[\w-]{20,300}\.[\w-]{10,60}"),
    ("a Telegram token", ":AA", r"(?<=\d{8}:AA)[\w-]{33}\b"),
)

# Formats in which a start may follow other characters of a word
INNER = frozenset({"-us", ":AA", ".atlasv1."})
AZURE_FORMAT = r"[\w~.]{3}\dQ~[\w~.-]{31,34}"  # Microsoft Entra ID; "Q~" is in the middle

# Names whose values are secrets if they look random: RFC 6749, 7636, 8628, OpenID Connect, clouds, and common others
TOKENS = (
    *(
        "access_token",
        "refresh_token",
        "id_token",
        "device_code",
        "client_secret",
        "client_assertion",
        "code_verifier",
    ),
    *("auth_code", "authorization_code", "assertion", "api_key", "secret_key", "access_key", "account_key"),
    *(
        "private_key",
        "auth_key",
        "subscription_key",
        "encryption_key",
        "signing_key",
        "master_key",
        "shared_key",
    ),
    *(
        "license_key",
        "service_key",
        "storage_key",
        "admin_key",
        "app_key",
        "consumer_key",
        "session_key",
        "azure_key",
        "kaggle_key",
    ),
    *(
        "api_secret",
        "token",
        "secret",
        "credential",
        "credentials",
        "authorization",
        "bearer",
        "signature",
        "jwt",
    ),
    *("openai_key", "openai", "shared_access_key", "function_key", "deploy_key", "fernet_key", "project_key"),
    *("csrftoken", "sessionid", "session_id", "session_cookie", "salt_key", "hmac_key", "cookie_secret"),
)
# The same, of whole identifiers only: part of a longer one, these words mean something else
WHOLE = ("code", "state", "nonce", "sig", "auth", "pat", "key", "sid", "session", "dsn", "cookie")
# Names whose values are secrets as they are
PASSWORDS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pass",
    "passwort",
    "contraseña",
    "mot_de_passe",
    "pw",
)

# Ends of settings' names in dotted form: fs.s3a.secret.key, fs.azure.account.key.HOST
SETTINGS = ("secret.key", "account.key", "access.token", "session.token", "api.key", "auth.token")

# Values in the standards' and providers' own examples
EXAMPLES = (
    *("2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA", "SplxlOBeZQQYbYS6WxSbIA", "mF_9.B5f-4.1JqM"),
    *(
        "czZCaGRSa3F0MzpnWDFmQmF0M2JW",
        "czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3",
        "gX1fBat3bV",
        "7Fjfp0ZBr1KtDRbnfVdmIw",
    ),
    *("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    *("n-0S6_WzA2Mj", "af0ifjsldkj", "SlAV32hkKG", "8xLOxBtZp8", "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS"),
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lI",
    *("QWxhZGRpbjpvcGVuIHNlc2FtZQ", "dXNlcjpwYXNz"),
)
