//! Credentials that show what they are: issued prefixes, private keys, connection strings.
//!
//! Forms are those the issuers document; GitHub and npm tokens end in a checksum, which makes them certain.

use std::sync::LazyLock;

use countersign_core::Kind;

use super::{HOLD, Hit, Text, check, cursor::Cursor};

/// No token with a prefix is shorter; shorter runs are not looked at.
pub(super) const SHORTEST: usize = 16;

/// Which characters a token goes on with.
#[derive(Clone, Copy)]
enum Body {
    /// Letters and digits.
    Alnum,
    /// Hexadecimal digits.
    Hex,
    /// Upper-case letters and digits.
    Upper,
    /// Lower-case letters and digits.
    Lower,
    /// Letters, digits, `-` and `_`.
    Word,
    /// Those and `.`.
    Dotted,
    /// Those, `/`, `+`, `=`, `$`, `:` and `%`.
    Wide,
}

impl Body {
    const fn takes(self, c: u8) -> bool {
        match self {
            Self::Alnum => c.is_ascii_alphanumeric(),
            Self::Hex => c.is_ascii_hexdigit(),
            Self::Upper => c.is_ascii_uppercase() || c.is_ascii_digit(),
            Self::Lower => c.is_ascii_lowercase() || c.is_ascii_digit(),
            Self::Word => c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'),
            Self::Dotted => c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'),
            Self::Wide => {
                c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'/' | b'+' | b'=' | b'$' | b':' | b'%')
            }
        }
    }
}

/// A kind of token: name, what it begins with, what it goes on with, at least how long that is.
struct Token(&'static str, &'static [u8], Body, usize);

static TOKENS: &[Token] = &[
    Token("secret/age-key", b"AGE-SECRET-KEY-1", Body::Upper, 40),
    Token("secret/anthropic-key", b"sk-ant-", Body::Word, 20),
    Token("secret/artifactory-token", b"AKCp", Body::Alnum, 40),
    Token("secret/atlassian-token", b"ATATT3", Body::Wide, 40),
    Token("secret/atlassian-token", b"ATBB", Body::Alnum, 28),
    Token("secret/aws-key-id", b"AKIA", Body::Upper, 16),
    Token("secret/aws-key-id", b"ASIA", Body::Upper, 16),
    Token("secret/aws-key-id", b"A3T0", Body::Upper, 16),
    Token("secret/aws-mws-token", b"amzn.mws.", Body::Word, 32),
    Token("secret/bedrock-key", b"ABSK", Body::Wide, 60),
    Token("secret/databricks-token", b"dapi", Body::Hex, 32),
    Token("secret/digitalocean-token", b"doo_v1_", Body::Hex, 60),
    Token("secret/digitalocean-token", b"dop_v1_", Body::Hex, 60),
    Token("secret/digitalocean-token", b"dor_v1_", Body::Hex, 60),
    Token("secret/django-key", b"django-insecure-", Body::Wide, 8),
    Token("secret/docker-token", b"dckr_pat_", Body::Word, 20),
    Token("secret/docker-token", b"dckr_oat_", Body::Word, 20),
    Token("secret/doppler-token", b"dp.", Body::Dotted, 40),
    Token("secret/dropbox-token", b"sl.", Body::Dotted, 100),
    Token("secret/dynatrace-token", b"dt0c01.", Body::Dotted, 60),
    Token("secret/facebook-token", b"EAAC", Body::Alnum, 80),
    Token("secret/figma-token", b"figd_", Body::Word, 30),
    Token("secret/firecrawl-key", b"fc-", Body::Hex, 32),
    Token("secret/github-token", b"ghp_", Body::Alnum, 36),
    Token("secret/github-token", b"gho_", Body::Alnum, 36),
    Token("secret/github-token", b"ghu_", Body::Alnum, 36),
    Token("secret/github-token", b"ghs_", Body::Alnum, 36),
    Token("secret/github-token", b"ghr_", Body::Alnum, 36),
    Token("secret/github-token", b"github_pat_", Body::Word, 40),
    Token("secret/gitlab-token", b"GR1348941", Body::Word, 18),
    Token("secret/gitlab-token", b"glpat-", Body::Word, 18),
    Token("secret/gitlab-token", b"glptt-", Body::Word, 18),
    Token("secret/gitlab-token", b"gldt-", Body::Word, 18),
    Token("secret/gitlab-token", b"glrt-", Body::Word, 18),
    Token("secret/google-key", b"AIza", Body::Word, 34),
    Token("secret/google-oauth", b"GOCSPX-", Body::Word, 24),
    Token("secret/google-oauth", b"ya29.", Body::Dotted, 40),
    Token("secret/grafana-token", b"glc_", Body::Wide, 32),
    Token("secret/grafana-token", b"glsa_", Body::Word, 32),
    Token("secret/groq-key", b"gsk_", Body::Alnum, 40),
    Token("secret/hashicorp-vault", b"hvs.", Body::Word, 24),
    Token("secret/hashicorp-vault", b"hvb.", Body::Word, 24),
    Token("secret/hashicorp-vault", b"hvr.", Body::Word, 24),
    Token("secret/huggingface-token", b"hf_", Body::Alnum, 30),
    Token("secret/jina-key", b"jina_", Body::Word, 40),
    Token("secret/linear-key", b"lin_api_", Body::Alnum, 32),
    Token("secret/mapbox-token", b"sk.eyJ", Body::Dotted, 40),
    Token("secret/newrelic-key", b"NRAK-", Body::Upper, 24),
    Token("secret/newrelic-key", b"NRII-", Body::Word, 28),
    Token("secret/newrelic-key", b"NRIQ-", Body::Word, 28),
    Token("secret/npm-token", b"npm_", Body::Alnum, 36),
    Token("secret/nuget-key", b"oy2", Body::Lower, 43),
    Token("secret/adafruit-key", b"aio_", Body::Alnum, 26),
    Token("secret/odoo-token", b"odt_", Body::Alnum, 30),
    Token("secret/openai-key", b"sk-", Body::Word, 32),
    Token("secret/perplexity-key", b"pplx-", Body::Alnum, 32),
    Token("secret/pixie-key", b"px-api-", Body::Word, 36),
    Token("secret/pixie-key", b"px-dep-", Body::Word, 36),
    Token("secret/postman-key", b"PMAK-", Body::Word, 50),
    Token("secret/pypi-token", b"pypi-AgE", Body::Word, 50),
    Token("secret/replicate-token", b"r8_", Body::Alnum, 36),
    Token("secret/rubygems-key", b"rubygems_", Body::Hex, 40),
    Token("secret/sendgrid-key", b"SG.", Body::Dotted, 50),
    Token("secret/shopify-token", b"shpss_", Body::Hex, 32),
    Token("secret/shopify-token", b"shpat_", Body::Hex, 32),
    Token("secret/shopify-token", b"shpca_", Body::Hex, 32),
    Token("secret/shopify-token", b"shppa_", Body::Hex, 32),
    Token("secret/slack-token", b"xoxb-", Body::Word, 20),
    Token("secret/slack-token", b"xoxp-", Body::Word, 20),
    Token("secret/slack-token", b"xoxa-", Body::Word, 20),
    Token("secret/slack-token", b"xoxr-", Body::Word, 20),
    Token("secret/slack-token", b"xoxs-", Body::Word, 20),
    Token("secret/slack-token", b"xapp-", Body::Wide, 30),
    Token("secret/slack-webhook", b"hooks.slack.com/services/T", Body::Wide, 30),
    Token("secret/sourcegraph-token", b"sgp_", Body::Word, 40),
    Token("secret/square-token", b"sq0atp-", Body::Word, 20),
    Token("secret/square-token", b"sq0csp-", Body::Word, 36),
    Token("secret/stackhawk-key", b"hawk.", Body::Dotted, 40),
    Token("secret/stripe-key", b"sk_live_", Body::Alnum, 20),
    Token("secret/stripe-key", b"sk_test_", Body::Alnum, 20),
    Token("secret/stripe-key", b"rk_live_", Body::Alnum, 20),
    Token("secret/stripe-key", b"rk_test_", Body::Alnum, 20),
    Token("secret/stripe-key", b"whsec_", Body::Wide, 24),
    Token("secret/supabase-key", b"sbp_", Body::Hex, 36),
    Token("secret/tavily-key", b"tvly-", Body::Word, 28),
    Token("secret/teams-webhook", b"outlook.office.com/webhook/", Body::Wide, 60),
    Token("secret/twilio-key", b"SK", Body::Hex, 32),
    Token("secret/xai-key", b"xai-", Body::Alnum, 60),
    Token("secret/aws-appsync-key", b"da2-", Body::Lower, 26),
    Token("secret/password-hash", b"$2a$", Body::Wide, 50),
    Token("secret/password-hash", b"$2b$", Body::Wide, 50),
    Token("secret/password-hash", b"$2y$", Body::Wide, 50),
    Token("secret/password-hash", b"$1$", Body::Wide, 26),
    Token("secret/password-hash", b"$5$", Body::Wide, 50),
    Token("secret/password-hash", b"$6$", Body::Wide, 80),
    Token("secret/password-hash", b"$8$", Body::Wide, 50),
    Token("secret/password-hash", b"$argon2", Body::Wide, 50),
    Token("secret/password-hash", b"$krb5", Body::Wide, 60),
];

/// Where a token can begin, web tokens among them, by its first two bytes, and the tokens by their first.
struct Index {
    pairs: Vec<u64>,
    by_lead: Vec<Vec<&'static Token>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { pairs: vec![0; 1024], by_lead: vec![Vec::new(); 256] };
    let mut begins = |[a, b]: [u8; 2]| {
        let pair = usize::from(a) << 8 | usize::from(b);
        if let Some(word) = index.pairs.get_mut(pair >> 6) {
            *word |= 1 << (pair & 63);
        }
    };
    begins(*b"ey");
    TOKENS.iter().filter_map(|token| token.1.first_chunk()).for_each(|pair| begins(*pair));
    for token in TOKENS {
        let [a, ..] = token.1 else { continue };
        if let Some(tokens) = index.by_lead.get_mut(usize::from(*a)) {
            tokens.push(token);
        }
    }
    index
});

/// Tokens inside one run.
pub(super) fn tokens(run: &[u8], start: usize, out: &mut Vec<Hit>) {
    let index = &*INDEX;
    let known = |pair: &[u8]| {
        let &[a, b] = pair else { return false };
        let key = usize::from(a) << 8 | usize::from(b);
        index.pairs.get(key >> 6).is_some_and(|w| w >> (key & 63) & 1 == 1)
    };
    let mut done = 0;
    for (at, pair) in run.windows(2).enumerate().filter(|(_, pair)| known(pair)) {
        let &[a, b] = pair else { continue };
        if at < done {
            continue;
        }
        let before = at.checked_sub(1).and_then(|i| run.get(i)).copied().unwrap_or(b' ');
        let begins = !before.is_ascii_alphanumeric() || before.is_ascii_lowercase() && a.is_ascii_uppercase();
        let rest = run.get(at..).unwrap_or_default();
        let tokens = index.by_lead.get(usize::from(a)).into_iter().flatten();
        // Letters put before a token must not hide it, where its beginning cannot be the middle of a word.
        let hit = tokens
            .filter(|t| begins || unlike_words(t.1))
            .find_map(|t| token(t, rest))
            .or_else(|| if begins && (a, b) == (b'e', b'y') { web_token(rest) } else { None });
        if let Some((rule, len, confidence)) = hit {
            out.push(Hit::new(Kind::Secret, rule, start + at..start + at + len, confidence));
            done = at + len;
        }
    }
    if done == 0 {
        telegram(run, start, out);
    }
}

/// Beginnings that no word has in its middle.
fn unlike_words(prefix: &[u8]) -> bool {
    prefix.len() >= 4 && prefix.iter().any(|c| matches!(c, b'_' | b'-'))
}

/// Whether three bytes or more of some token's beginning stand at the end of an unfinished run.
pub(super) fn promising(held: &[u8]) -> bool {
    let starts = (0..held.len()).filter(|i| *i == 0 || held.get(i - 1).is_some_and(|c| !c.is_ascii_alphanumeric()));
    starts.filter_map(|i| held.get(i..)).any(|rest| {
        let begun = |prefix: &[u8]| {
            let len = rest.len().min(prefix.len());
            len >= 3.min(prefix.len()) && rest.get(..len) == prefix.get(..len)
        };
        begun(b"eyJ") || TOKENS.iter().any(|t| begun(t.1))
    })
}

/// One kind of token at the beginning of `rest`: its name, length and certainty.
fn token(&Token(rule, prefix, body, least): &Token, rest: &[u8]) -> Option<(&'static str, usize, f32)> {
    let tail = rest.strip_prefix(prefix)?;
    let len = tail.iter().take_while(|c| body.takes(**c)).count();
    let tail = tail.get(..len)?;
    let tail = tail.get(..tail.iter().rposition(|c| !matches!(c, b'.' | b':' | b'-')).map_or(0, |i| i + 1))?;
    // Identifiers of fixed length do not go on; a hash that happens to begin like one does.
    let exact = matches!(body, Body::Upper | Body::Lower | Body::Hex);
    if tail.len() < least
        || exact && (tail.len() > least + 8 || rest.get(prefix.len() + len).is_some_and(u8::is_ascii_alphanumeric))
    {
        return None;
    }
    let mixed = tail.iter().any(u8::is_ascii_digit)
        || matches!(body, Body::Upper)
        || matches!(body, Body::Alnum)
            && tail.iter().any(u8::is_ascii_uppercase)
            && tail.iter().any(u8::is_ascii_lowercase);
    if !mixed && prefix.len() < 5 {
        return None;
    }
    let confidence = if checksum(prefix, tail) { 1.0 } else { 0.9 };
    Some((rule, prefix.len() + tail.len(), confidence))
}

/// GitHub and npm tokens: 30 characters and the CRC-32 of them, in base 62, six digits.
fn checksum(prefix: &[u8], tail: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if tail.len() != 36 || prefix.len() != 4 {
        return false;
    }
    let Some((text, sum)) = tail.split_at_checked(30) else { return false };
    let value = sum.iter().try_fold(0u64, |v, c| DIGITS.iter().position(|d| d == c).map(|d| v * 62 + d as u64));
    value == Some(u64::from(check::crc32(text)))
}

/// A JSON web token (RFC 7519): two or three parts of base64url, the first two of them JSON objects.
fn web_token(rest: &[u8]) -> Option<(&'static str, usize, f32)> {
    if !rest.starts_with(b"eyJ") {
        return None;
    }
    let part = |text: &[u8]| text.iter().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_')).count();
    let head = part(rest);
    let tail = rest.get(head..)?.strip_prefix(b".")?;
    let body = part(tail);
    if head < 12 || body < 12 || !tail.starts_with(b"ey") {
        return None;
    }
    let mut len = head + 1 + body;
    if let Some(sign) = rest.get(len..).and_then(|r| r.strip_prefix(b".")) {
        len += 1 + part(sign);
    }
    Some(("secret/web-token", len, 0.9))
}

/// `bot id : AA...`, 35 characters.
fn telegram(run: &[u8], start: usize, out: &mut Vec<Hit>) {
    let Some(at) = memchr::memmem::find(run, b":AA") else { return };
    let (head, tail) = run.split_at(at);
    let digits = head.iter().rev().take_while(|c| c.is_ascii_digit()).count();
    let body = tail.iter().skip(1).take_while(|c| Body::Word.takes(**c)).count();
    if (8..=11).contains(&digits) && (33..=36).contains(&body) {
        let span = start + at - digits..start + at + 1 + body;
        out.push(Hit::new(Kind::Secret, "secret/telegram-token", span, 0.9));
    }
}

/// The password in `scheme://name:password@host`.
pub(super) fn connection(run: &[u8], start: usize, out: &mut Vec<Hit>) {
    let Some(scheme) = memchr::memmem::find(run, b"://") else { return };
    let from = scheme + 3;
    let authority = run.get(from..).unwrap_or_default();
    let end = authority.iter().position(|c| matches!(c, b'/' | b'?' | b'#')).unwrap_or(authority.len());
    let authority = authority.get(..end).unwrap_or_default();
    let Some(at) = authority.iter().rposition(|c| *c == b'@') else { return };
    let user = authority.get(..at).unwrap_or_default();
    let Some(colon) = user.iter().position(|c| *c == b':') else { return };
    if at - colon > 1 && !out.iter().any(|h| h.span.start < start + from + at && h.span.end > start + from + colon) {
        let span = start + from + colon + 1..start + from + at;
        out.push(Hit::new(Kind::Secret, "secret/connection-string", span, 0.85));
    }
}

/// A private key in PEM (RFC 7468) or OpenPGP armour, with its line breaks as they are or as `\n`.
pub(super) fn private_key(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    if !cur.eat_text(b"-----BEGIN") || !cur.eat(b' ') {
        return None;
    }
    let name = cur.at;
    cur.eat_while(48, |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b' ');
    memchr::memmem::find(cur.since(name), b"PRIVATE KEY")?;
    if !cur.eat_text(b"-----") {
        return None;
    }
    let hit = |end, endless| Hit { endless, ..Hit::new(Kind::Secret, "secret/private-key", start..end, 1.0) };
    loop {
        if text.grows && cur.at - start >= HOLD - 64 {
            return Some(hit(cur.at, true));
        }
        match cur.peek() {
            Some(b'-') if cur.peek_at(1) == Some(b'-') => {
                if cur.eat_text(b"-----END ") {
                    cur.eat_while(48, |c| c != b'-');
                }
                cur.eat_while(5, |c| c == b'-');
                return Some(hit(cur.at, false));
            }
            // Base64, white space, armour headers, and what source code puts around the lines.
            Some(c) if c.is_ascii_alphanumeric() || b"+/= \n\r\t:,-\"'\\.()".contains(&c) => cur.at += 1,
            _ => return Some(hit(cur.at, false)),
        }
    }
}
