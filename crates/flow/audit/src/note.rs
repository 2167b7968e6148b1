//! Checkpoints: what the log held when it was signed, as C2SP tlog-checkpoint in a C2SP signed-note, by Ed25519.
//!
//! ```text
//! audit.example.com/node-1
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — audit.example.com/node-1 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```

use countersign_seal::{SealError, Signer, Verifier};
use data_encoding::{BASE64, HEXLOWER};

use crate::merkle::{Hash, sha256};

/// What a log held at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many records it held.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// A checkpoint cannot be believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadNote {
    /// It is not a signed note with a checkpoint in it.
    #[error("the checkpoint is not a signed note")]
    Form,
    /// It is another log's.
    #[error("the checkpoint is another log's")]
    Origin,
    /// None of the known keys signed it.
    #[error("the checkpoint has no signature of a known key")]
    Unsigned,
    /// A signature claims to be a known key's and is not.
    #[error("the checkpoint's signature does not hold")]
    Forged,
}

impl Checkpoint {
    /// Signs the checkpoint; gives the note's text.
    ///
    /// # Errors
    /// When the signature cannot be made.
    pub fn sign(&self, signer: &Signer) -> Result<String, SealError> {
        let text = format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root));
        let mut signature = key_id(&self.origin, ED25519, &signer.public_key()).to_vec();
        signature.extend_from_slice(&signer.sign(text.as_bytes())?);
        Ok(format!("{text}\n{DASH}{} {}\n", self.origin, BASE64.encode(&signature)))
    }

    /// Reads a note of the log `origin` that one of `keys` signed.
    ///
    /// # Errors
    /// When it cannot be believed.
    pub fn open(note: &[u8], origin: &str, keys: &[Verifier]) -> Result<Self, BadNote> {
        let Note { checkpoint, text, signatures } = parse(note)?;
        if checkpoint.origin != origin {
            return Err(BadNote::Origin);
        }
        let mut signed = false;
        for Signature { name, id, signature, .. } in signatures {
            // Other signers (witnesses) may add theirs; what they say is nothing to us.
            let known = keys.iter().find(|k| name == origin && id == key_id(origin, ED25519, &k.public_key()));
            if let Some(key) = known {
                key.verify(text.as_bytes(), &signature).map_err(|_| BadNote::Forged)?;
                signed = true;
            }
        }
        if signed { Ok(checkpoint) } else { Err(BadNote::Unsigned) }
    }

    /// Reads a note without believing it: for showing, never for verifying.
    ///
    /// # Errors
    /// When it is not a signed note with a checkpoint in it.
    pub fn peek(note: &[u8]) -> Result<Self, BadNote> {
        parse(note).map(|note| note.checkpoint)
    }
}

/// The text form of a log's public key, as other verifiers of signed notes take it: `name+id+key`.
#[must_use]
pub fn key_text(origin: &str, key: &Verifier) -> String {
    typed_text(origin, ED25519, key)
}

/// Reads the text form of a public key; gives the log's name and the key.
///
/// # Errors
/// When the text is not one.
pub fn read_key(text: &str) -> Result<(String, Verifier), BadNote> {
    read_typed(text, ED25519)
}

/// A public key of any algorithm as text.
pub(crate) fn typed_text(name: &str, algorithm: u8, key: &Verifier) -> String {
    let mut typed = vec![algorithm];
    typed.extend_from_slice(&key.public_key());
    format!("{name}+{}+{}", HEXLOWER.encode(&key_id(name, algorithm, &key.public_key())), BASE64.encode(&typed))
}

/// Reads a public key of exactly this algorithm.
pub(crate) fn read_typed(text: &str, algorithm: u8) -> Result<(String, Verifier), BadNote> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(BadNote::Form);
    };
    let key = base64(key).ok_or(BadNote::Form)?;
    let Some((kind, key)) = key.split_first() else { return Err(BadNote::Form) };
    let key: [u8; 32] = key.try_into().map_err(|_| BadNote::Form)?;
    if *kind != algorithm || !is_name(name) || id != HEXLOWER.encode(&key_id(name, algorithm, &key)) {
        return Err(BadNote::Form);
    }
    Ok((name.to_owned(), Verifier::new(key).map_err(|_| BadNote::Form)?))
}

/// Whether a log may be called so: not empty, no spaces, no plus.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// A note's parts, before anything is believed.
pub(crate) struct Note<'a> {
    pub(crate) checkpoint: Checkpoint,
    /// What is signed.
    pub(crate) text: &'a str,
    pub(crate) signatures: Vec<Signature<'a>>,
}

/// One line below a note.
pub(crate) struct Signature<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: [u8; 4],
    pub(crate) signature: Vec<u8>,
}

/// Takes a note apart.
pub(crate) fn parse(note: &[u8]) -> Result<Note<'_>, BadNote> {
    let note = std::str::from_utf8(note).map_err(|_| BadNote::Form)?;
    if note.len() > MAX_NOTE || note.contains(|c: char| c < ' ' && c != '\n') {
        return Err(BadNote::Form);
    }
    let cut = note.rfind("\n\n").ok_or(BadNote::Form)?;
    let (text, signatures) = (note.get(..=cut).ok_or(BadNote::Form)?, note.get(cut + 2..).ok_or(BadNote::Form)?);
    let signatures = signatures.strip_suffix('\n').ok_or(BadNote::Form)?;
    let signatures: Vec<_> = signatures.split('\n').map(signature).collect::<Result<_, _>>()?;

    let mut lines = text.split('\n');
    let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(BadNote::Form);
    };
    let number: u64 = size.parse().map_err(|_| BadNote::Form)?;
    // One number has one form.
    if !is_name(origin) || number.to_string() != size {
        return Err(BadNote::Form);
    }
    let root = base64(root).and_then(|b| b.try_into().ok()).ok_or(BadNote::Form)?;
    Ok(Note { checkpoint: Checkpoint { origin: origin.to_owned(), size: number, root }, text, signatures })
}

/// Takes a signature line apart.
pub(crate) fn signature(line: &str) -> Result<Signature<'_>, BadNote> {
    let (name, bytes) = line.strip_prefix(DASH).and_then(|l| l.split_once(' ')).ok_or(BadNote::Form)?;
    let bytes = base64(bytes).ok_or(BadNote::Form)?;
    let (id, signature) = bytes.split_first_chunk::<4>().ok_or(BadNote::Form)?;
    Ok(Signature { name, id: *id, signature: signature.to_vec() })
}

/// The first bytes of a hash of a key, by which signatures name it.
pub(crate) fn key_id(name: &str, algorithm: u8, public: &[u8; 32]) -> [u8; 4] {
    let mut input = Vec::with_capacity(name.len() + 34);
    input.extend_from_slice(name.as_bytes());
    input.extend_from_slice(&[b'\n', algorithm]);
    input.extend_from_slice(public);
    let hash = sha256(&input);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// What a text in base64 says, in the one spelling it has: the decoder alone would take pieces that are padded each by itself.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    if text.trim_end_matches('=').contains('=') {
        return None;
    }
    BASE64.decode(text.as_bytes()).ok()
}

/// What signature lines begin with.
pub(crate) const DASH: &str = "\u{2014} ";
/// The algorithm's number in signed notes.
const ED25519: u8 = 1;
const MAX_NOTE: usize = 64 << 10;

#[cfg(test)]
mod tests;
