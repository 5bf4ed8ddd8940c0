"""What counts as a secret: names of keys, and shapes of values as providers document them for their own keys.

Shapes are anchored by a literal that the provider chose to make its keys findable; entropy alone is not a rule, since
it eats hashes and ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from traceview.redaction.engine import PatternError, compile_pattern


class RuleError(ValueError):
    """A pattern of the user's that can't be used; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A shape of secret: `pattern` in RE2's syntax; `needle` is a literal, lower case, without which it can't match.

    `before` is what may stand before it; as a rule a match never begins in the middle of an (ASCII) word. Where the
    pattern has a group named `secret`, only that group is taken out. `check` names a further test of what was found:
    `digit` (holds one), `mixed` (is no plain word), `card` (begins with a valid card number).
    """

    name: str
    pattern: str
    needle: str
    check: str = ""
    before: str = r"(?:^|[^0-9A-Za-z])"


# Names whose value is a secret, compared after `camelCase`, `-`, `.` and spaces became `_`. A name also matches as the
# last words of a longer one (`openai_api_key`, `http.request.header.authorization`), and one of six letters or more as
# the end of the last word (`PGPASSWORD`). Numbers are never secrets, so that `max_tokens` and `input_tokens` stay.
SECRET_NAMES: Final = (
    "password", "passwd", "passphrase", "pwd", "secret", "client_secret", "secret_key", "api_key", "apikey",
    "access_key", "access_key_id", "private_key", "encryption_key", "signing_key", "account_key", "auth_key",
    "authorization", "proxy_authorization", "auth_token", "access_token", "refresh_token", "id_token", "session_token",
    "security_token", "bearer_token", "api_token", "csrf_token", "cookie", "set_cookie", "credentials",
    "connection_string", "x_api_key", "x_goog_api_key", "x_amz_security_token", "otp", "pin_code", "cvv", "cvc",
)  # fmt: skip

_B64URL: Final = r"[A-Za-z0-9_\-]"
# What may stand before a card's number: not `0.`, since embeddings are full of fractions.
_NO_FRACTION: Final = r"(?:^[._\-]?|[^0-9A-Za-z._\-]|[^0-9A-Za-z][._\-])"

_SHAPES: Final = (
    # Model providers
    Rule("anthropic-key", rf"sk-ant-{_B64URL}{{20,}}", "sk-ant-"),
    Rule("openrouter-key", r"sk-or-v1-[0-9a-f]{40,}", "sk-or-v1-"),
    Rule("langfuse-key", r"sk-lf-[0-9a-f]{8}-[0-9a-f\-]{20,}", "sk-lf-"),
    Rule("openai-key", rf"sk-(?:proj-|svcacct-|admin-|None-)?{_B64URL}{{20,}}", "sk-", "digit"),
    Rule("google-api-key", rf"AIza{_B64URL}{{35}}", "aiza"),
    Rule("huggingface-token", r"hf_[A-Za-z0-9]{30,}", "hf_"),
    Rule("replicate-token", r"r8_[A-Za-z0-9]{37,}", "r8_"),
    Rule("groq-key", r"gsk_[A-Za-z0-9]{40,}", "gsk_"),
    Rule("xai-key", r"xai-[A-Za-z0-9]{60,}", "xai-"),
    Rule("perplexity-key", r"pplx-[A-Za-z0-9]{40,}", "pplx-"),
    Rule("langsmith-key", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}", "lsv2_"),
    Rule("tavily-key", r"tvly-[A-Za-z0-9\-]{20,}", "tvly-"),
    Rule("pinecone-key", r"pcsk_[A-Za-z0-9]{5,8}_[A-Za-z0-9]{50,}", "pcsk_"),
    Rule("nvidia-key", rf"nvapi-{_B64URL}{{60,}}", "nvapi-"),
    # Clouds and hosts
    Rule("aws-access-key-id", r"(?:AKIA|ASIA)[A-Z2-7]{16}", "ia"),
    Rule("azure-account-key", r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)", "accountkey="),
    Rule("google-oauth-secret", rf"GOCSPX-{_B64URL}{{28}}", "gocspx-"),
    Rule("google-oauth-token", rf"ya29\.{_B64URL}{{20,}}", "ya29."),
    Rule("digitalocean-token", r"do[opr]_v1_[0-9a-f]{64}", "_v1_"),
    Rule("github-token", r"gh[opsur]_[A-Za-z0-9]{36,}", "gh"),
    Rule("github-fine-token", r"github_pat_[A-Za-z0-9_]{60,}", "github_pat_"),
    Rule("gitlab-token", rf"gl(?:pat|dt|rt|cbt|ptt|ft)-{_B64URL}{{20,}}", "gl"),
    Rule("npm-token", r"npm_[A-Za-z0-9]{36}", "npm_"),
    Rule("pypi-token", rf"pypi-AgE{_B64URL}{{50,}}", "pypi-age"),
    Rule("docker-token", rf"dckr_pat_{_B64URL}{{20,}}", "dckr_pat_"),
    Rule("databricks-token", r"dapi[0-9a-f]{32}", "dapi"),
    Rule("hashicorp-vault-token", rf"hvs\.{_B64URL}{{24,}}", "hvs."),
    Rule("doppler-token", r"dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9]{40,}", "dp."),
    # Services
    Rule("slack-token", r"xox[abeoprs]-[A-Za-z0-9\-]{10,}", "xox"),
    Rule("slack-webhook", r"hooks\.slack\.com\\?/services\\?/(?P<secret>[A-Za-z0-9/\\]{40,})", "hooks.slack.com"),
    Rule(
        "discord-webhook",
        rf"discord(?:app)?\.com\\?/api\\?/webhooks\\?/(?P<secret>[0-9]+\\?/{_B64URL}{{60,}})",
        "/webhooks",
    ),
    Rule("stripe-key", r"(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{24,}", "_", "digit"),
    Rule("sendgrid-key", rf"SG\.{_B64URL}{{22}}\.{_B64URL}{{43}}", "sg."),
    Rule("twilio-key", r"SK[0-9a-f]{32}", "sk"),
    Rule("telegram-token", rf"[0-9]{{8,10}}:AA{_B64URL}{{33}}", ":aa"),
    Rule("shopify-token", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}", "shp"),
    Rule("linear-key", r"lin_api_[A-Za-z0-9]{40}", "lin_api_"),
    Rule("notion-token", r"ntn_[A-Za-z0-9]{40,}", "ntn_"),
    Rule("new-relic-key", r"NRAK-[A-Z0-9]{27}", "nrak-"),
    Rule("grafana-token", r"gl(?:sa|c)_[A-Za-z0-9+/=_]{32,}", "gl"),
    # Forms that any issuer uses: RFC 7519, RFC 6750, RFC 7617, RFC 6265, RFC 7468, RFC 3986 section 3.2.1
    Rule("jwt", rf"eyJ{_B64URL}{{10,}}\.eyJ{_B64URL}{{10,}}\.{_B64URL}*", "eyj"),
    Rule("bearer-token", r"(?i:bearer\s+(?P<secret>[A-Za-z0-9_\-.~+/]{16,}=*))", "bearer"),
    Rule("basic-auth", r"(?i:basic\s+(?P<secret>[A-Za-z0-9+/]{12,}={0,2}))", "basic", "mixed"),
    Rule("cookie", r"(?i:cookie:\s*(?P<secret>[A-Za-z0-9_\-.]+=[^\r\n\"']+))", "cookie:"),
    Rule(
        "signed-url",
        r"[?&](?i:sig|signature|x-amz-signature|x-goog-signature)=(?P<secret>[A-Za-z0-9%+/=_\-]{20,})",
        "sig",
        before="",
    ),
    Rule(
        "private-key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
        r"(?P<secret>[^-]*(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)?)",
        "private key",
    ),
    Rule("url-password", r"[a-zA-Z][a-zA-Z0-9+.\-]*:(?:\\?/){2}[^\s/:@\"'<>]*:(?P<secret>[^\s/@\"'<>]+)@", "@"),
    Rule("credit-card", r"[2-6](?:[ \-]?[0-9]){12,22}", "", "card", before=_NO_FRACTION),
)  # fmt: skip

E_MAIL: Final = Rule("e-mail", r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9.\-]+\.[A-Za-z]{2,}", "@", before="")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a Redactor takes out: names of keys, shapes of values, the user's own, e-mail addresses (off by default).

    `keep_names` are names whose values stay although `names` would take them, and names of shapes that are not looked
    for; written in any of the usual ways.
    """

    names: tuple[str, ...] = SECRET_NAMES
    shapes: tuple[Rule, ...] = _SHAPES
    emails: bool = False
    keep_names: frozenset[str] = field(default_factory=frozenset)
    own: tuple[Rule, ...] = ()

    def with_patterns(self, patterns: Mapping[str, str]) -> Rules:
        """These rules and the user's own: name → regular expression (RE2's syntax: no look-around, no references).

        They go first and may match anywhere. Raises RuleError for one that can't be used.
        """
        own = []
        for name, pattern in patterns.items():
            try:
                compiled = compile_pattern(pattern)
            except PatternError as error:
                raise RuleError(f"redaction pattern {name!r} is not a regular expression: {error}") from error
            if compiled.search("") is not None:
                raise RuleError(f"redaction pattern {name!r} matches empty text, so it would match everywhere")
            own.append(Rule(name, pattern, "", before=""))
        return replace(self, own=(*own, *self.own))


DEFAULT_RULES: Final = Rules()
