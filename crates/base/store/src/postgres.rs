//! The store in a database of PostgreSQL.

use std::{net::IpAddr, path::PathBuf};

use countersign_core::Secret;
use sqlx::{
    ConnectOptions,
    any::AnyConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::StoreError;

/// Where a PostgreSQL database is, and how to get in.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// `postgres://USER@HOST:PORT/DATABASE`, or `postgres://USER@%2Fvar%2Frun%2Fpostgresql/DATABASE` for the folder of a Unix
    /// socket.
    pub url: String,
    /// The user's password, where the server asks for one.
    pub password: Option<Secret<String>>,
    /// A PEM file with the authorities that the server's certificate may come from, besides the public ones.
    pub ca: Option<PathBuf>,
}

impl Postgres {
    /// Whether the address says all it must, and nothing that belongs elsewhere.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), StoreError> {
        self.parts().map(drop)
    }

    pub(crate) fn options(&self) -> Result<AnyConnectOptions, StoreError> {
        sqlx::any::install_default_drivers();
        let local = self.parts()?.is_local();
        let mut options: PgConnectOptions =
            self.url.parse().map_err(|_| StoreError::Address("it is no address of PostgreSQL"))?;
        // Never less than a certificate for that name: what passes there decides who gets in.
        options = options.ssl_mode(if local { PgSslMode::Disable } else { PgSslMode::VerifyFull });
        if let Some(password) = &self.password {
            options = options.password(password.expose());
        }
        let mut address = options.to_url_lossy();
        if let Some(ca) = self.ca.as_ref().filter(|_| !local) {
            // Not by `ssl_root_cert`, which its own `to_url_lossy` does not write as an address reads it.
            let Some(ca) = ca.to_str() else { return Err(StoreError::Address("the path of its `ca` is not Unicode")) };
            address.query_pairs_mut().append_pair("sslrootcert", ca);
        }
        Ok(AnyConnectOptions::from_url(&address)?)
    }

    fn parts(&self) -> Result<Host<'_>, StoreError> {
        let wrong = |what| Err(StoreError::Address(what));
        let rest = self.url.strip_prefix("postgres://").or_else(|| self.url.strip_prefix("postgresql://"));
        let Some(rest) = rest else { return wrong("it does not begin with `postgres://`") };
        if rest.contains(['?', '#']) {
            return wrong("it holds options; the way in is not for them to change");
        }
        let Some((user, place)) = rest.split_once('@') else { return wrong("it names no user") };
        if user.contains(':') {
            return wrong("it holds a password, which has a place of its own");
        }
        let Some((host, database)) = place.split_once('/') else { return wrong("it names no database") };
        if user.is_empty() || host.is_empty() || database.is_empty() || database.contains('/') {
            return wrong("it must be `postgres://USER@HOST:PORT/DATABASE`");
        }
        Ok(Host(host))
    }
}

/// Connections at most: one to poll with, and some for what the administration does at once.
pub(crate) const CONNECTIONS: u32 = 4;

/// A statement that hangs, or waits for a lock that nobody gives back, ends by itself.
pub(crate) const SETTINGS: &[&str] =
    &["SET statement_timeout = 5000", "SET idle_in_transaction_session_timeout = 5000"];

/// Writes the table anew. What was in it stays in the server's log of what was written until that is recycled.
pub(crate) const SCRUB: &[&str] = &["VACUUM FULL data_key"];

/// Host and port, as they stand in an address.
struct Host<'a>(&'a str);

impl Host<'_> {
    /// Whether nobody else's wire lies in between: a Unix socket, or this machine by its address. A name may lead anywhere.
    fn is_local(&self) -> bool {
        let host = match self.0.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => self.0.split(':').next().unwrap_or_default(),
        };
        let socket = host.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2f"));
        socket || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

#[cfg(test)]
mod tests;
