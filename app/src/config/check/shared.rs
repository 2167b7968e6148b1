//! What nodes share: addresses that are safe to send passwords to, and a name for each node.

use countersign_store::Postgres;
use toml::Spanned;

use super::{
    super::{
        Redis, StoreAt,
        raw::{RawCluster, RawStore},
    },
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

    pub(super) fn cluster(&mut self, raw: Option<Spanned<RawCluster>>, node: &Spanned<String>) -> Option<Redis> {
        let raw = raw?;
        let (at, raw) = (raw.span(), raw.into_inner());
        if node.span().is_empty() {
            self.report(&at, "a node of a cluster has no name", "write `node`, another for each");
        }
        let ca = match &raw.ca {
            Some(path) => Some(self.read(&at, path)?),
            None => None,
        };
        if let Some(pem) = &ca
            && countersign_provider::Trust::given(pem).is_err()
        {
            return self.wrong(&at, "`ca` holds no certificates", "name a PEM file of certificates");
        }
        let password = match &raw.password {
            Some(key) => Some(self.key(&at, key)?),
            None => None,
        };
        match countersign_cluster::Address::parse(&raw.redis) {
            Ok(address) => Some(Redis { address, password, ca }),
            // Without the text, which may hold a password where none belongs.
            Err(e) => self.wrong(&at, format!("`redis`: {e}"), "write `rediss://USER@HOST:PORT`"),
        }
    }
}
