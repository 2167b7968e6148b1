//! The API of AWS KMS, and its signatures (Signature Version 4).

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use countersign_core::{Secret, Timestamp, calendar::Civil};
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};

use super::{Ask, BadAnswer, Service, WrappingKey, body_of};
use crate::hash::{hmac_key, hmac_sha256};

/// A key of AWS KMS.
pub struct AwsKms {
    /// The key's id, ARN or alias.
    pub key_id: String,
    /// The region it is in.
    pub region: String,
    /// The host that is asked, with a port where it is not the usual one.
    pub host: String,
    /// Who asks.
    pub credentials: Credentials,
}

/// Who asks AWS.
pub struct Credentials {
    /// The access key's id.
    pub id: String,
    /// The secret access key.
    pub secret: Secret<String>,
    /// The session token, where the access key is a temporary one.
    pub token: Option<Secret<String>>,
}

impl AwsKms {
    fn body<'a>(&'a self, plaintext: Option<&'a str>, ciphertext_blob: Option<&'a str>) -> Body<'a> {
        Body {
            key_id: &self.key_id,
            plaintext,
            ciphertext_blob,
            encryption_context: Context { countersign: "root keys" },
        }
    }

    fn ask(&self, now: Timestamp, operation: &str, body: &Body<'_>) -> Ask {
        let body = body_of(body);
        let (at, target) = (moment(now), format!("TrentService.{operation}"));
        let mut signed = vec![("content-type", KIND), ("host", &self.host), ("x-amz-date", &at)];
        if let Some(token) = &self.credentials.token {
            signed.push(("x-amz-security-token", token.expose()));
        }
        signed.push(("x-amz-target", &target));
        let request = Request { method: "POST", path: "/", query: "", headers: &signed, body: body.expose() };
        let authorization = request.authorization(&self.credentials, &self.region, "kms", &at);
        let mut headers: Vec<_> = signed
            .iter()
            .filter(|(name, _)| *name != "host")
            .map(|(n, v)| (*n, Secret::new((*v).to_owned())))
            .collect();
        headers.push(("authorization", Secret::new(authorization)));
        Ask { path: "/".to_owned(), headers, body }
    }
}

impl Service for AwsKms {
    fn name(&self) -> String {
        format!("aws-kms:{}:{}", self.region, self.key_id)
    }

    fn wrap(&self, now: Timestamp, key: &WrappingKey) -> Ask {
        let plaintext = Secret::new(BASE64.encode(key.expose()));
        self.ask(now, "Encrypt", &self.body(Some(plaintext.expose()), None))
    }

    fn wrapped(&self, answer: &[u8]) -> Result<Vec<u8>, BadAnswer> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Encrypted {
            ciphertext_blob: String,
        }
        let Encrypted { ciphertext_blob } = serde_json::from_slice(answer).map_err(|_| BadAnswer)?;
        BASE64.decode(ciphertext_blob.as_bytes()).ok().filter(|blob| !blob.is_empty()).ok_or(BadAnswer)
    }

    fn unwrap(&self, now: Timestamp, wrapped: &[u8]) -> Ask {
        let blob = BASE64.encode(wrapped);
        // With the key's id, so that whoever can write the file cannot have another key asked.
        self.ask(now, "Decrypt", &self.body(None, Some(&blob)))
    }

    fn unwrapped(&self, answer: &[u8]) -> Result<WrappingKey, BadAnswer> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Decrypted {
            plaintext: String,
        }
        let Decrypted { plaintext } = serde_json::from_slice(answer).map_err(|_| BadAnswer)?;
        super::key_of(&Secret::new(plaintext))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    key_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext_blob: Option<&'a str>,
    encryption_context: Context,
}

/// What a ciphertext is bound to, and what CloudTrail shows of each request.
#[derive(Serialize)]
struct Context {
    countersign: &'static str,
}

/// A request as it is signed.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    /// Names in lower case, sorted.
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
}

impl Request<'_> {
    fn authorization(&self, who: &Credentials, region: &str, service: &str, at: &str) -> String {
        let day = at.get(..8).unwrap_or_default();
        let names: Vec<_> = self.headers.iter().map(|(name, _)| *name).collect();
        let (names, scope) = (names.join(";"), format!("{day}/{region}/{service}/aws4_request"));
        let said = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", sha256(self.canonical(&names).as_bytes()));
        let key = signing_key(&who.secret, day, region, service);
        let signature = HEXLOWER.encode(&hmac_sha256(&hmac_key(key.expose()), said.as_bytes()));
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", who.id)
    }

    fn canonical(&self, names: &str) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.method, self.path, self.query);
        for (name, value) in self.headers {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}:{}", value.trim());
        }
        let _ = write!(text, "\n{names}\n{}", sha256(self.body));
        text
    }
}

fn signing_key(secret: &Secret<String>, day: &str, region: &str, service: &str) -> Secret<[u8; 32]> {
    let first = Secret::new(format!("AWS4{}", secret.expose()).into_bytes());
    let mut key = Secret::new(hmac_sha256(&hmac_key(first.expose()), day.as_bytes()));
    for part in [region, service, "aws4_request"] {
        key = Secret::new(hmac_sha256(&hmac_key(key.expose()), part.as_bytes()));
    }
    key
}

/// As in `20150830T123600Z`.
fn moment(now: Timestamp) -> String {
    Civil::of(now).to_string().replace(['-', ':'], "")
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

const KIND: &str = "application/x-amz-json-1.1";

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Credentials {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
        Credentials { id: "AKIDEXAMPLE".to_owned(), secret, token: None }
    }

    /// The values that AWS publishes with the description of its signatures and in its test suite.
    #[test]
    fn signatures_are_those_that_aws_publishes() {
        let key = signing_key(&example().secret, "20150830", "us-east-1", "iam");
        let expected = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";
        assert_eq!(HEXLOWER.encode(key.expose()), expected);
        let at = "20150830T123600Z";
        let plain = [("host", "example.amazonaws.com"), ("x-amz-date", at)];
        let iam = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", at),
        ];
        for (method, query, headers, service, signature) in [
            ("GET", "", &plain[..], "service", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "", &plain, "service", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "GET",
                "Action=ListUsers&Version=2010-05-08",
                &iam,
                "iam",
                "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ] {
            let request = Request { method, path: "/", query, headers, body: b"" };
            let said = request.authorization(&example(), "us-east-1", service, at);
            assert!(said.ends_with(&format!("Signature={signature}")), "{method} {query}: {said}");
            assert!(said.starts_with(&format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, "
            )));
        }
    }

    #[test]
    fn a_moment_is_written_as_aws_wants_it() {
        assert_eq!(moment(Timestamp(1_440_938_160_000_000)), "20150830T123600Z");
        assert_eq!(moment(Timestamp(0)), "19700101T000000Z");
    }

    #[test]
    fn a_temporary_key_says_and_signs_its_token() {
        let token = Some(Secret::new("a-session".to_owned()));
        let kms = AwsKms {
            key_id: "alias/root".into(),
            region: "eu-central-1".into(),
            host: "kms.eu-central-1.amazonaws.com".into(),
            credentials: Credentials { token, ..example() },
        };
        let ask = kms.unwrap(Timestamp(1_440_938_160_000_000), b"blob");
        let header = |name| ask.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.expose().as_str());
        assert_eq!(header("x-amz-security-token"), Some("a-session"));
        assert_eq!(header("x-amz-target"), Some("TrentService.Decrypt"));
        assert_eq!(header("host"), None, "whoever sends it writes that");
        let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,";
        assert!(header("authorization").unwrap().contains(signed));
        assert!(!format!("{ask:?}").contains("a-session"));
    }
}
