use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

fn read(text: &str) -> Result<(), WireError> {
    Doc::read(text.as_bytes(), &Limits::default()).map(|_| ())
}

/// The tape as the oracle would have it.
fn json(value: Value<'_>) -> Json {
    match value.kind() {
        Kind::Null => Json::Null,
        Kind::True => Json::Bool(true),
        Kind::False => Json::Bool(false),
        Kind::Number => serde_json::from_str(value.raw()).unwrap(),
        Kind::String => Json::String(value.as_str().unwrap().into()),
        Kind::Array => value.items().map(json).collect(),
        Kind::Object => {
            value.members().map(|(name, value)| (name.as_str().unwrap().into_owned(), json(value))).collect()
        }
    }
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    for bad in [
        "",
        " ",
        "\u{feff}{}",
        "{}x",
        "{} {}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"\\u0061\":1,\"a\":2}",
        "[{\"x\":{\"k\":1,\"b\":[1,{\"z\":2}],\"k\":2}}]",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud83d\\u\"",
        "\"\\u12\"",
        "\"\\u+123\"",
        "\"\\x41\"",
        "\"\\",
        "\"a\nb\"",
        "\"a\u{0}b\"",
        "\"\u{1f}aaaaaaaaaaa\"",
        "01",
        "-",
        "-01",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "nulll",
        "True",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "[1 2]",
        "[1}",
        "{\"a\":1]",
        "]",
        "[",
        "{",
        "{\"a\":",
        "'a'",
        "/* */1",
        "1//",
        "\u{a0}1",
        "\u{b}1",
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
    for bad in [&b"\"\xff\""[..], b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\"", b"\"\xf4\x90\x80\x80\"", b"\xff\xfe{}"] {
        assert!(matches!(Doc::read(bad, &Limits::default()), Err(WireError::Utf8 { .. })), "{bad:?}");
    }
}

#[test]
fn what_is_json_is_read() {
    for good in [
        "0",
        "-0",
        "-0.0e-0",
        "1E400",
        " [ ] ",
        "{ }",
        "\t{\r\n\"\" : [ { } , [ ] , null , true , false ] }\n",
        "\"\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t\\ud83d\\ude00\u{7f}\u{10ffff}\"",
    ] {
        assert_eq!(read(good), Ok(()), "{good:?}");
    }
}

#[test]
fn depth_and_number_of_values_are_bounded_without_recursion() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(read(&deep), Err(WireError::TooDeep { limit: 64, at: 64 }));
    let objects = "{\"a\":".repeat(100_000);
    assert_eq!(read(&objects).unwrap_err().code(), countersign_core::Code::TooComplex);
    let unbounded = Limits { depth: usize::MAX, ..Limits::default() };
    assert!(matches!(Doc::read(deep.as_bytes(), &unbounded), Err(WireError::TooDeep { limit: DEPTH, .. })));
    let fits = "[".repeat(64) + &"]".repeat(64);
    assert_eq!(read(&fits), Ok(()));
    let few = Limits { nodes: 4, ..Limits::default() };
    assert!(Doc::read(b"[1,2,3]", &few).is_ok());
    assert!(matches!(Doc::read(b"[1,2,3,4]", &few), Err(WireError::TooMany { limit: 4, .. })));
    assert!(matches!(Doc::read(b"{\"a\":1,\"b\":2}", &few), Err(WireError::TooMany { limit: 4, .. })));
}

#[test]
fn duplicates_are_found_in_objects_of_any_size() {
    for size in [1, 2, 15, 16, 17, 18, 40, 5_000] {
        let mut members: Vec<String> = (0..size).map(|i| format!("\"k{i}\":{{\"k0\":[{i}]}}")).collect();
        assert_eq!(read(&format!("{{{}}}", members.join(","))), Ok(()), "{size}");
        for twin in [0, size / 2, size - 1] {
            members.push(format!("\"\\u006b{twin}\":0"));
            assert!(read(&format!("{{{}}}", members.join(","))).is_err(), "{twin} of {size}");
            members.pop();
        }
    }
}

#[test]
fn members_and_items_are_found() {
    let doc =
        Doc::read(br#"{"a":[1,[2],"x\ny"],"b\u0063":{"d":"e"},"n":18446744073709551615}"#, &Limits::default()).unwrap();
    let root = doc.root();
    assert_eq!(root.get("a").unwrap().items().count(), 3);
    assert_eq!(root.get("bc").unwrap().get("d").unwrap().as_str().unwrap(), "e");
    assert_eq!(root.get("n").unwrap().as_u64(), Some(u64::MAX));
    let text = root.get("a").unwrap().items().last().unwrap();
    assert_eq!((text.raw(), &*text.as_str().unwrap()), ("x\\ny", "x\ny"));
    assert!(root.get("d").is_none() && text.get("a").is_none() && text.items().next().is_none());
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        "[\\\\\"a-c\u{0}-\u{20}é😀]{0,20}".prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 64, 24, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
            prop::collection::btree_map("[a-d\\\\\"é]{0,3}", inner, 0..24)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// Texts close to JSON.
fn almost_json() -> impl Strategy<Value = Vec<u8>> {
    let cut = (any_json(), any::<bool>(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3));
    prop_oneof![
        cut.prop_map(|(json, pretty, changes)| {
            let text = if pretty { serde_json::to_vec_pretty(&json) } else { serde_json::to_vec(&json) };
            let mut text = text.unwrap();
            for (at, byte) in changes {
                let at = at.index(text.len());
                text[at] = byte;
            }
            text
        }),
        "[\\[\\]{}:,\"\\\\0-2.eE+\\-a-f untrl]{0,24}".prop_map(String::into_bytes),
    ]
}

/// Whether the text has two members of one name, which the oracle lets pass: it keeps the last.
fn has_twins(value: &serde_json::value::RawValue) -> bool {
    struct Twins(bool);
    impl<'de> serde::Deserialize<'de> for Twins {
        fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            d.deserialize_any(Visit)
        }
    }
    struct Visit;
    impl<'de> serde::de::Visitor<'de> for Visit {
        type Value = Twins;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("JSON")
        }
        fn visit_unit<E>(self) -> Result<Twins, E> {
            Ok(Twins(false))
        }
        fn visit_bool<E>(self, _: bool) -> Result<Twins, E> {
            Ok(Twins(false))
        }
        fn visit_i64<E>(self, _: i64) -> Result<Twins, E> {
            Ok(Twins(false))
        }
        fn visit_u64<E>(self, _: u64) -> Result<Twins, E> {
            Ok(Twins(false))
        }
        fn visit_f64<E>(self, _: f64) -> Result<Twins, E> {
            Ok(Twins(false))
        }
        fn visit_str<E>(self, _: &str) -> Result<Twins, E> {
            Ok(Twins(false))
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Twins, A::Error> {
            let mut any = false;
            while let Some(item) = seq.next_element::<Twins>()? {
                any |= item.0;
            }
            Ok(Twins(any))
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Twins, A::Error> {
            let (mut any, mut names) = (false, std::collections::BTreeSet::new());
            while let Some((name, value)) = map.next_entry::<String, Twins>()? {
                any |= value.0 | !names.insert(name);
            }
            Ok(Twins(any))
        }
    }
    serde_json::from_str::<Twins>(value.get()).is_ok_and(|t| t.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn values_read_as_the_oracle_reads_them(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let doc = Doc::read(text.as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(json(doc.root()), serde_json::from_str::<Json>(&text).unwrap());
    }

    #[test]
    fn what_is_accepted_is_what_the_oracle_accepts_without_twins(text in almost_json()) {
        let ours = Doc::read(&text, &Limits::default()).is_ok();
        // A raw value is checked for grammar only: the oracle's numbers are bounded, JSON's are not.
        let theirs = std::str::from_utf8(&text).is_ok_and(|text| {
            serde_json::from_str::<Box<serde_json::value::RawValue>>(text).is_ok_and(|raw| {
                let lone = serde_json::from_str::<Json>(text).is_err_and(|e| e.to_string().contains("surrogate") || e.to_string().contains("hex escape"));
                !lone && !has_twins(&raw)
            })
        });
        prop_assert_eq!(ours, theirs, "{:?}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Doc::read(&bytes, &Limits::default());
    }
}
