//! RSA keys for security events, for receivers that take nothing else (CAEP's interoperability profile asks for RS256).
//!
//! The other keys are derived from the root key, and an RSA key cannot be. It is made once for each version of the root key, sealed with
//! it and kept in the store, so that all nodes sign with one and publish the same.

use anyhow::Context;
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use countersign_core::Secret;
use countersign_seal::KeyRing;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use super::send::kid;
use crate::state::State;

/// A key that signs by RS256.
pub(crate) struct RsaKey {
    pair: KeyPair,
    modulus: Vec<u8>,
}

/// The keys of every version of the root key, newest first; the newest is made where there is none yet.
pub(crate) async fn keys(state: &State) -> anyhow::Result<Vec<RsaKey>> {
    let (store, ring) = (state.store(), state.ring());
    let newest = ring.versions();
    let mut keys = Vec::new();
    for version in (1..=newest).rev() {
        let name = format!("security events RS256 {version}");
        let mut kept = store.signing_key(&name).await?;
        if kept.is_none() && version == newest {
            let der = tokio::task::spawn_blocking(generate).await??;
            let sealed = ring.seal("", PURPOSE, name.as_bytes(), &[der.expose()])?;
            store.keep_signing_key(&name, &BASE64.encode(&sealed)).await?;
            // Another node may have been first.
            kept = store.signing_key(&name).await?;
        }
        let Some(sealed) = kept else { continue };
        let sealed = BASE64.decode(sealed.as_bytes()).context("the kept signing key is malformed")?;
        keys.push(RsaKey::read(&Secret::new(ring.open("", PURPOSE, name.as_bytes(), &sealed)?))?);
    }
    Ok(keys)
}

/// Seals again, under the newest root version, what older ones sealed; how many there were.
pub(crate) async fn reseal(state: &State) -> anyhow::Result<usize> {
    let (store, ring) = (state.store(), state.ring());
    let mut done = 0;
    for (name, was) in store.signing_keys().await? {
        let sealed = BASE64.decode(was.as_bytes()).context("the kept signing key is malformed")?;
        if KeyRing::version_of(&sealed)? != ring.versions() {
            let der = Secret::new(ring.open("", PURPOSE, name.as_bytes(), &sealed)?);
            let again = BASE64.encode(&ring.seal("", PURPOSE, name.as_bytes(), &[der.expose()])?);
            done += usize::from(store.reseal_signing_key(&name, &was, &again).await?);
        }
    }
    Ok(done)
}

fn generate() -> anyhow::Result<Secret<Vec<u8>>> {
    let pair = KeyPair::generate(KeySize::Rsa2048).context("no RSA key could be made")?;
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).context("an RSA key could not be written")?;
    Ok(Secret::new(der.as_ref().to_vec()))
}

impl RsaKey {
    fn read(der: &Secret<Vec<u8>>) -> anyhow::Result<Self> {
        let pair = KeyPair::from_pkcs8(der.expose()).ok().context("the kept signing key is no RSA key")?;
        let public = pair.public_key().as_ref();
        // One length and one exponent, so all but the modulus is always the same.
        let modulus = public.strip_prefix(&BEFORE[..]).and_then(|rest| rest.strip_suffix(&AFTER[..]));
        let modulus = modulus.context("the kept signing key has another length")?.to_vec();
        Ok(Self { pair, modulus })
    }

    /// What it is called among the keys that are published.
    pub(super) fn kid(&self) -> String {
        kid(&self.modulus)
    }

    pub(super) fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .ok()
            .context("no signature")?;
        Ok(signature)
    }

    /// As it is published.
    pub(super) fn public(&self) -> Value {
        let n = BASE64URL_NOPAD.encode(&self.modulus);
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid(), "n": n, "e": "AQAB" })
    }
}

const PURPOSE: &str = "signing key";
/// A public key of 2,048 bits in DER (RFC 8017, appendix A.1.1), before its modulus: a sequence and the head of an integer.
const BEFORE: [u8; 9] = [0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
/// And after it: the exponent 65,537.
const AFTER: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

#[cfg(test)]
mod tests;
