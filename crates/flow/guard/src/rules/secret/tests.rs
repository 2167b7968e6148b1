use super::*;
use crate::{
    leak::Planted,
    rules::{
        keyed::{self, KEYED},
        prompt,
        services::OPEN,
    },
};

/// Random letters and digits that such a token may hold, always the same for a seed; some of each kind.
fn body(body: Body, len: usize, seed: u64) -> String {
    let (some, rest): (&[u8], &[u8]) = match body {
        Body::Digits => (b"", b"0123456789"),
        Body::Hex | Body::Uuid | Body::Pair => (b"a7", b"0123456789abcdef"),
        Body::Upper | Body::Code => (b"Q7", b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789"),
        Body::Lower => (b"q7", b"abcdefghjkmnpqrstvwxyz23456789"),
        _ => (b"Qx7", b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstvwxyz23456789"),
    };
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        rest[(state >> 33) as usize % rest.len()]
    };
    let mut text: Vec<u8> = some.iter().copied().take(len).collect();
    text.resize_with(len, &mut next);
    match body {
        Body::Uuid if len == 36 => [8, 13, 18, 23].iter().for_each(|i| text[*i] = b'-'),
        Body::Pair => text[8] = b':',
        _ => {}
    }
    String::from_utf8(text).unwrap()
}

/// What is found in a prompt: rule and place.
fn found(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let mut out = Vec::new();
    prompt(text, &Planted::default(), &mut out);
    out.into_iter().map(|f| (f.rule, f.span)).collect()
}

#[test]
fn every_service_with_a_form_is_found_and_a_near_miss_is_not() {
    for (seed, Token(rule, prefix, kind, least, most)) in (1..).zip(TOKENS) {
        let prefix = std::str::from_utf8(prefix).unwrap();
        let whole = |len: usize| format!("{prefix}{}", body(*kind, len, seed));
        let longest = if *most == OPEN { least + 20 } else { *most };
        let fits = |len: &usize| *kind != Body::Uuid || *len == 36;
        for text in [*least, longest].into_iter().filter(fits).map(whole) {
            let hits = found(&format!("see {text} there"));
            assert!(hits.contains(&(rule, 4..4 + text.len())), "{rule}: {text}: {hits:?}");
        }
        let longer = (*most != OPEN).then(|| most + 1);
        for text in [Some(least - 1), longer].into_iter().flatten().map(whole) {
            let hits = found(&format!("see {text} there"));
            assert!(!hits.iter().any(|(r, at)| r == rule && at.start == 4), "{rule}: {text}: {hits:?}");
        }
    }
}

#[test]
fn every_service_with_a_mark_is_found_and_a_near_miss_is_not() {
    for (seed, Marked(rule, mark, (head, head_least, head_most), (tail, tail_least, tail_most))) in (1..).zip(MARKED) {
        let mark = std::str::from_utf8(mark).unwrap();
        let whole = |before: usize, behind: usize| body(*head, before, seed) + mark + &body(*tail, behind, seed + 99);
        for text in [whole(*head_least, *tail_least), whole(*head_most, *tail_most)] {
            let hits = found(&format!("see {text} there"));
            assert!(hits.contains(&(rule, 4..4 + text.len())), "{rule}: {text}: {hits:?}");
        }
        let text = whole(head_least - 1, *tail_least);
        assert!(!found(&text).iter().any(|(r, _)| r == rule), "{rule}: {text}");
    }
}

#[test]
fn every_service_that_is_named_is_found_and_not_without_its_name() {
    for (seed, keyed::Keyed(rule, word, kind, least, most)) in (1..).zip(KEYED) {
        for len in [*least, *most] {
            let value = body(*kind, len, seed);
            for text in [
                format!("{word}_api_key = \"{value}\""),
                format!("{}_API_TOKEN={value}", word.to_uppercase()),
                format!("{word}:\n  secret: {value}\n"),
            ] {
                let at = text.find(&value).unwrap();
                let hits = found(&text);
                assert!(hits.contains(&(rule, at..at + value.len())), "{rule}: {text}: {hits:?}");
            }
            let hits = found(&format!("my_api_key = \"{value}\""));
            assert!(!hits.iter().any(|(r, _)| r == rule), "{rule}: {value}: {hits:?}");
        }
        let short = format!("{word}_api_key = \"{}\"", body(Body::Hex, 9, seed));
        assert!(!found(&short).iter().any(|(r, _)| r == rule), "{rule}: {short}");
    }
}

#[test]
fn two_hundred_services_and_more_are_known() {
    let mut rules: Vec<_> =
        TOKENS.iter().map(|t| t.0).chain(MARKED.iter().map(|m| m.0)).chain(KEYED.iter().map(|k| k.0)).collect();
    rules.sort_unstable();
    rules.dedup();
    // The service without the kind of credential, `secret/github-token` and `secret/github-secret` being one.
    let mut services: Vec<_> = rules.iter().filter_map(|r| r.rsplit_once('-')).map(|r| r.0).collect();
    services.dedup();
    assert!(services.len() >= 200, "{}", services.len());
    assert!(TOKENS.is_sorted_by_key(|t| t.0) && KEYED.is_sorted_by_key(|k| k.0) && MARKED.is_sorted_by_key(|m| m.0));
}

#[test]
fn letters_before_or_behind_a_token_hide_it_only_where_it_could_be_a_word() {
    let token = format!("ghp_{}", body(Body::Alnum, 36, 5));
    for text in [format!("xx{token}"), format!("{token}zz"), format!("a{token}.b"), format!("'{token}'")] {
        assert!(found(&text).iter().any(|f| f.0 == "secret/github-token"), "{text}");
    }
}

/// How a credential is known that is in no table.
const BY_FORM: [(&str, &str); 7] = [
    ("secret/assigned", "a name such as `token`, `api_key`, `client_secret`, and a value that is long and mixed"),
    ("secret/basic-auth", "`Basic` or `auth`, and a name and a password in base64"),
    ("secret/connection-string", "`scheme://name:password@host`; the password is the finding"),
    ("secret/discord-token", "a number in base64, a time and a signature, with dots between them"),
    ("secret/password", "a name such as `password`, `Passwort`, `contraseña`, and what a person could have chosen"),
    ("secret/private-key", "the armour of PEM and OpenPGP, in base64 too; the private lines of PuTTY's files"),
    ("secret/web-token", "two parts of base64 that begin a JSON object, with a dot between them (RFC 7519)"),
];

#[test]
fn the_reference_names_every_credential_and_how_it_is_known() {
    let text = |bytes: &[u8]| format!("`{}`", std::str::from_utf8(bytes).unwrap());
    let mut page = String::from("| rule | known by |\n| --- | --- |\n");
    for rule in crate::RULES.iter().filter(|rule| rule.starts_with("secret/")) {
        let by_form = BY_FORM.iter().filter(|f| f.0 == *rule).map(|f| f.1.to_owned());
        let begins: Vec<_> =
            TOKENS.iter().filter(|t| t.0 == *rule && *rule != "secret/private-key").map(|t| text(t.1)).collect();
        let holds: Vec<_> = MARKED.iter().filter(|m| m.0 == *rule).map(|m| text(m.1)).collect();
        let named: Vec<_> = KEYED.iter().filter(|k| k.0 == *rule).map(|k| text(k.1.as_bytes())).collect();
        let list = |what: &str, mut words: Vec<String>| {
            words.dedup();
            (!words.is_empty()).then(|| format!("{what} {}", words.join(", ")))
        };
        let ways = [list("begins with", begins), list("holds", holds), list("behind a name with", named)];
        let known: Vec<_> = by_form.chain(ways.into_iter().flatten()).collect();
        assert!(!known.is_empty(), "{rule}");
        page += &format!("| `{}` | {} |\n", rule.trim_start_matches("secret/"), known.join("; "));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/reference/credentials.md");
    let written = std::fs::read_to_string(path).unwrap();
    let table = written.find("| rule |").map_or("", |at| &written[at..]);
    assert!(table == page, "docs/reference/credentials.md is to end in\n{page}");
}
