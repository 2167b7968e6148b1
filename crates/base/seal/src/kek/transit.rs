//! The transit engine of HashiCorp Vault, and of OpenBao, which has the same API.

use countersign_core::{Secret, Timestamp};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::{Ask, BadAnswer, Service, WrappingKey, body_of};

/// A key of the transit engine.
pub struct VaultTransit {
    /// Where the engine is mounted: `transit`, unless it was mounted elsewhere.
    pub mount: String,
    /// The key's name.
    pub key: String,
    /// The token for it.
    pub token: Secret<String>,
}

impl VaultTransit {
    fn ask(&self, what: &str, body: &impl Serialize) -> Ask {
        Ask {
            path: format!("/v1/{}/{what}/{}", self.mount, self.key),
            headers: vec![
                ("content-type", Secret::new("application/json".to_owned())),
                ("x-vault-request", Secret::new("true".to_owned())),
                ("x-vault-token", self.token.clone()),
            ],
            body: body_of(body),
        }
    }
}

impl Service for VaultTransit {
    fn name(&self) -> String {
        format!("vault-transit:{}/{}", self.mount, self.key)
    }

    fn wrap(&self, _: Timestamp, key: &WrappingKey) -> Ask {
        #[derive(Serialize)]
        struct Encrypt<'a> {
            plaintext: &'a str,
        }
        let plaintext = Secret::new(BASE64.encode(key.expose()));
        self.ask("encrypt", &Encrypt { plaintext: plaintext.expose() })
    }

    fn wrapped(&self, answer: &[u8]) -> Result<Vec<u8>, BadAnswer> {
        #[derive(Deserialize)]
        struct Encrypted {
            ciphertext: String,
        }
        let Answer { data: Encrypted { ciphertext } } = serde_json::from_slice(answer).map_err(|_| BadAnswer)?;
        if ciphertext.starts_with("vault:v") { Ok(ciphertext.into_bytes()) } else { Err(BadAnswer) }
    }

    fn unwrap(&self, _: Timestamp, wrapped: &[u8]) -> Ask {
        #[derive(Serialize)]
        struct Decrypt<'a> {
            ciphertext: &'a str,
        }
        self.ask("decrypt", &Decrypt { ciphertext: &String::from_utf8_lossy(wrapped) })
    }

    fn unwrapped(&self, answer: &[u8]) -> Result<WrappingKey, BadAnswer> {
        #[derive(Deserialize)]
        struct Decrypted {
            plaintext: String,
        }
        let Answer { data: Decrypted { plaintext } } = serde_json::from_slice(answer).map_err(|_| BadAnswer)?;
        super::key_of(&Secret::new(plaintext))
    }
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}
