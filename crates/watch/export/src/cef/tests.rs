use proptest::prelude::*;

use super::*;
use crate::{
    What,
    support::{ALL, bare, full},
};

/// Reads a line as the format says: seven bars that are not escaped, then `key=value` with escapes.
fn read(text: &str) -> (Vec<String>, Vec<(String, String)>) {
    assert!(!text.contains(['\n', '\r']));
    let (mut heads, mut rest, mut chars) = (vec![String::new()], String::new(), text.chars());
    while let Some(c) = chars.next() {
        if heads.len() == 8 {
            rest.push(c);
            rest.extend(chars.by_ref());
            break;
        }
        match c {
            '\\' => heads.last_mut().unwrap().push(chars.next().unwrap()),
            '|' => heads.push(String::new()),
            c => heads.last_mut().unwrap().push(c),
        }
    }
    heads.truncate(7);
    // A key is what stands between the last space and an equals sign that is not escaped.
    let bytes: Vec<char> = rest.chars().collect();
    let equals: Vec<usize> = (0..bytes.len())
        .filter(|i| bytes[*i] == '=' && bytes[..*i].iter().rev().take_while(|c| **c == '\\').count() % 2 == 0)
        .collect();
    let keys: Vec<usize> =
        equals.iter().map(|i| bytes[..*i].iter().rposition(|c| *c == ' ').map_or(0, |space| space + 1)).collect();
    let pairs = equals.iter().enumerate().map(|(n, at)| {
        let end = keys.get(n + 1).map_or(bytes.len(), |next| next - 1);
        let value: String = bytes[at + 1..end].iter().collect();
        (bytes[keys[n]..*at].iter().collect(), value.replace("\\=", "=").replace("\\\\", "\\"))
    });
    (heads, pairs.collect())
}

#[test]
fn a_record_is_a_line_with_its_members() {
    let (heads, pairs) = read(&line(&full(What::Refused, "acme")));
    assert_eq!((heads[0].as_str(), heads[4].as_str(), heads[6].as_str()), ("CEF:0", "CS0501", "6"));
    for (key, value) in [("suser", "acme"), ("cn1", "7"), ("src", "192.0.2.7"), ("cnt", "64"), ("outcome", "403")] {
        assert!(pairs.contains(&(key.to_owned(), value.to_owned())), "{key}: {pairs:?}");
    }
    for what in ALL {
        assert_eq!(read(&line(&bare(what))).0.len(), 7);
    }
}

proptest! {
    /// Whatever callers call themselves and their models, a record is one line, and no member of it is another.
    #[test]
    fn no_value_forges_another(text in "[a-z|=\\\\\\n\\r\u{2028} ]{0,40}") {
        let forged = format!("{text}\nCEF:0|Countersign|x|1|CS0000|x|1| suser=admin");
        let (heads, pairs) = read(&line(&full(What::Refused, &forged)));
        prop_assert_eq!(heads[4].as_str(), "CS0501");
        prop_assert_eq!(pairs.iter().filter(|(key, _)| key == "suser").count(), 1);
        prop_assert_eq!(pairs.iter().filter(|(key, _)| key == "cn1").count(), 1);
    }
}
