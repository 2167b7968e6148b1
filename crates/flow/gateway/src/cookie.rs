//! The console's cookie, where a request brings it.
//!
//! It is looked for on the desk's routes alone: on a provider's API a browser's cookie is nobody's credential.

use countersign_core::{Code, Refusal};
use http::{HeaderMap, header};

/// What it is called. A browser keeps a cookie of such a name for the host that set it, and sends it over TLS or loopback only.
pub const NAME: &str = "__Host-countersign";

/// The console's cookie, where there is one.
///
/// # Errors
/// `CS0202` when it is there twice: two readers could choose differently.
pub fn find(headers: &HeaderMap) -> Result<Option<&[u8]>, Refusal> {
    named(headers, NAME)
}

/// The value of the cookie of that name, where there is one.
///
/// # Errors
/// As [`find`].
pub fn named<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let (found, value) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
        (found.trim_ascii() == name.as_bytes()).then(|| value.get(1..).unwrap_or_default().trim_ascii())
    });
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Refusal::new(Code::BadCredential, "the console's cookie is there twice")),
    }
}

#[cfg(test)]
mod replay;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn found(lines: &[&'static str]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        let found = find(&headers).map_err(|refusal| refusal.code)?;
        Ok(found.map(|value| String::from_utf8_lossy(value).into_owned()))
    }

    #[test]
    fn the_cookie_is_the_one_of_its_whole_name_and_there_once() {
        assert_eq!(found(&[]), Ok(None));
        assert_eq!(found(&["a=b; __Host-countersign=v=1; c=d"]), Ok(Some("v=1".into())));
        assert_eq!(found(&["a=b", "__Host-countersign=v"]), Ok(Some("v".into())), "HTTP/2 may cut the header");
        for other in
            ["x__Host-countersign=v", "__host-countersign=v", "__Host-countersign", "a=__Host-countersign=v", ";;="]
        {
            assert_eq!(found(&[other]), Ok(None), "{other}");
        }
        for twice in
            [&["__Host-countersign=v; __Host-countersign=w"][..], &["__Host-countersign=v", "__Host-countersign="]]
        {
            assert_eq!(found(twice), Err(Code::BadCredential));
        }
    }

    #[test]
    fn the_cookie_corpus_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/cookie");
        let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        assert!(files.inspect(|bytes| replay::check(bytes)).count() >= 5);
    }
}
