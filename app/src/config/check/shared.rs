//! What nodes share: addresses that are safe to send passwords to, and a name for each node.

use countersign_store::Postgres;
use toml::Spanned;

use super::{
    super::{StoreAt, raw::RawStore},
    Check,
};

impl Check<'_> {
    pub(super) fn store(&mut self, raw: Option<Spanned<RawStore>>) -> Option<StoreAt> {
        let Some(raw) = raw else { return Some(StoreAt::File) };
        let (at, raw) = (raw.span(), raw.into_inner());
        let ca = match &raw.ca {
            Some(path) => {
                self.read(&at, path)?;
                Some(self.base.join(path))
            }
            None => None,
        };
        let password = match &raw.password {
            Some(key) => Some(self.key(&at, key)?),
            None => None,
        };
        let postgres = Postgres { url: raw.postgres, password: None, ca };
        // What is wrong is told without the address, which may hold a password where none belongs.
        match postgres.check() {
            Ok(()) => Some(StoreAt::Postgres { postgres, password }),
            Err(e) => self.wrong(&at, format!("`postgres`: {e}"), "write `postgres://USER@HOST:PORT/DATABASE`"),
        }
    }
}
