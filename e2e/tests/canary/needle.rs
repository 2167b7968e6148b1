//! Secrets, and the spellings a leak could take.

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

/// A secret to look for.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    /// What kind of secret it is.
    pub(crate) class: &'static str,
    /// Spelling and bytes.
    spellings: Vec<(&'static str, Vec<u8>)>,
}

impl Needle {
    /// Looks for the middle of `secret`, so that a part that leaks is found as well as the whole.
    pub(crate) fn new(class: &'static str, secret: impl AsRef<[u8]>) -> Self {
        let secret = secret.as_ref();
        let cut = secret.len().min(64) / 4;
        let middle = &secret[cut..secret.len().min(64) - cut];
        assert!(middle.len() >= 8, "too short a secret to be told from chance");
        let percent: String = middle.iter().map(|b| format!("%{b:02X}")).collect();
        let escaped: String = middle.iter().map(|b| format!("\\u{b:04x}")).collect();
        let json = serde_json::to_string(&String::from_utf8_lossy(middle)).expect("a string is JSON");
        let encoded: String = middle.iter().map(|b| url(*b)).collect();
        let mut spellings = vec![
            ("plain", middle.to_vec()),
            ("hex", HEXLOWER.encode(middle).into_bytes()),
            ("upper-case hex", HEXUPPER.encode(middle).into_bytes()),
            ("URL-encoded", encoded.into_bytes()),
            ("URL-encoded throughout", percent.to_lowercase().into_bytes()),
            ("URL-encoded throughout, upper case", percent.into_bytes()),
            ("escaped as in JSON", json.trim_matches('"').as_bytes().to_vec()),
            ("escaped throughout", escaped.into_bytes()),
            ("reversed", middle.iter().rev().copied().collect()),
        ];
        // In base64 a text looks different at each of three places.
        for shift in 0..3 {
            let padded = [&vec![0; shift], middle].concat();
            let (from, to) = ((shift * 4).div_ceil(3), padded.len() / 3 * 4);
            for (name, text) in [("base64", BASE64.encode(&padded)), ("base64url", BASE64URL.encode(&padded))] {
                spellings.push((name, text.as_bytes()[from..to].to_vec()));
            }
        }
        Self { class, spellings }
    }

    /// The spelling in which the secret stands in `hay`; `lower` is the same in lower case.
    pub(crate) fn find(&self, hay: &[u8], lower: &[u8]) -> Option<&'static str> {
        // What depends on the case is compared as it is, the rest whatever case it is in.
        let holds = |(name, bytes): &&(&str, Vec<u8>)| match *name {
            "base64" | "base64url" | "plain" => contains(hay, bytes),
            _ => contains(lower, &bytes.to_ascii_lowercase()),
        };
        self.spellings.iter().find(holds).map(|(name, _)| *name)
    }
}

fn url(byte: u8) -> String {
    match byte {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    }
}

fn contains(hay: &[u8], what: &[u8]) -> bool {
    // Most bytes do not begin the needle, so that the search is quick enough without more.
    let Some(first) = what.first() else { return false };
    let mut at = 0;
    while let Some(next) = hay.get(at..).and_then(|rest| rest.iter().position(|b| b == first)) {
        at += next;
        if hay[at..].starts_with(what) {
            return true;
        }
        at += 1;
    }
    false
}

#[test]
fn every_spelling_is_found() {
    let secret = b"ludmilla.oxblood+\"7\"@example.org";
    let needle = Needle::new("test", secret);
    let reversed: Vec<u8> = secret.iter().rev().copied().collect();
    for hay in [
        secret.to_vec(),
        BASE64.encode(secret).into_bytes(),
        BASE64.encode(&[b"x", &secret[..]].concat()).into_bytes(),
        BASE64URL.encode(&[b"xy", &secret[..]].concat()).into_bytes(),
        HEXLOWER.encode(secret).into_bytes(),
        HEXUPPER.encode(secret).into_bytes(),
        secret.iter().map(|b| url(*b)).collect::<String>().into_bytes(),
        secret.iter().map(|b| format!("%{b:02x}")).collect::<String>().into_bytes(),
        secret.iter().map(|b| format!("\\u{b:04X}")).collect::<String>().into_bytes(),
        serde_json::to_vec(&String::from_utf8_lossy(secret)).expect("JSON"),
        reversed,
    ] {
        let hay = [b"before ", &hay[..], b" after"].concat();
        assert!(needle.find(&hay, &hay.to_ascii_lowercase()).is_some(), "{}", String::from_utf8_lossy(&hay));
    }
    assert_eq!(needle.find(b"nothing of the kind", b"nothing of the kind"), None);
}
