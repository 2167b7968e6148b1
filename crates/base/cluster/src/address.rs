//! Where a Redis server is.

use std::net::IpAddr;

/// An address that a password may be sent to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Name or address of the machine.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is spoken to by TLS: always, but on a loopback address.
    pub tls: bool,
    /// The user to log in as; the server's default where none is named.
    pub user: Option<String>,
}

/// The text is no address that can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(&'static str);

impl Address {
    /// Reads `rediss://USER@HOST:PORT`, or `redis://` for a loopback address.
    ///
    /// # Errors
    /// What is wrong, without any of the text: it may hold a password where none belongs.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let (tls, rest) = match text.split_once("://") {
            Some(("rediss", rest)) => (true, rest),
            Some(("redis", rest)) => (false, rest),
            _ => return Err(BadAddress("it does not begin with `rediss://`")),
        };
        let (user, place) = match rest.split_once('@') {
            Some((user, _)) if user.contains(':') => {
                return Err(BadAddress("it holds a password, which has a place of its own"));
            }
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let place = place.strip_suffix('/').unwrap_or(place);
        if place.contains(['/', '?', '#']) || user.is_some_and(str::is_empty) {
            return Err(BadAddress("it holds more than user, host and port"));
        }
        let (host, port) = match place.rsplit_once(':') {
            // The colons of an IPv6 address stand in brackets.
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| BadAddress("its port is no number"))?)
            }
            _ => (place, 6379),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains([' ', '[', ']']) {
            return Err(BadAddress("it names no host"));
        }
        if !tls && !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            return Err(BadAddress("it is spoken to in the clear, and is no loopback address"));
        }
        Ok(Self { host: host.to_owned(), port, tls, user: user.map(ToOwned::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_unsafe_ones_refused() {
        let read = |text| Address::parse(text).map(|a| (a.host, a.port, a.tls, a.user));
        let plain = |host: &str, port, tls| Ok((host.to_owned(), port, tls, None));
        assert_eq!(read("redis://127.0.0.1"), plain("127.0.0.1", 6379, false));
        assert_eq!(read("redis://[::1]:7000/"), plain("::1", 7000, false));
        assert_eq!(read("rediss://cache.example.com:6380"), plain("cache.example.com", 6380, true));
        assert_eq!(read("rediss://me@cache").map(|a| a.3), Ok(Some("me".to_owned())));
        for wrong in [
            "cache:6379",
            "http://cache",
            "redis://cache",
            "redis://localhost",
            "redis://127.0.0.1.example.com",
            "rediss://me:secret@cache",
            "rediss://@cache",
            "rediss://cache/3",
            "rediss://cache?x=y",
            "rediss://cache:port",
            "rediss://:6379",
            "rediss://",
        ] {
            let refused = read(wrong);
            assert!(refused.is_err(), "{wrong}");
            assert!(!format!("{refused:?}").contains("secret"));
        }
    }
}
