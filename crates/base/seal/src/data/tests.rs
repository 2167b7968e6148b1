use std::collections::BTreeMap;

use super::*;

/// What a store does with the rows.
#[derive(Clone)]
struct Rows(BTreeMap<String, Vec<u8>>);

impl Rows {
    fn new(rows: Vec<DataKeyRow>) -> Self {
        Self(rows.into_iter().map(|row| (row.place, row.sealed)).collect())
    }

    fn all(&self) -> Vec<DataKeyRow> {
        self.0.iter().map(|(place, sealed)| DataKeyRow { place: place.clone(), sealed: sealed.clone() }).collect()
    }

    fn write(&mut self, forgetting: Forgetting) {
        for place in forgetting.gone {
            assert!(self.0.remove(&place).is_some(), "{place}");
        }
        for row in forgetting.come {
            assert!(self.0.insert(row.place, row.sealed).is_none());
        }
    }
}

fn ring(n: u8) -> KeyRing {
    KeyRing::from_bytes(Secret::new(vec![n; 32])).unwrap()
}

fn scope<'a>(keys: &DataKeys, tenant: &'a str, subject: &'a str, conversation: &str) -> Scope<'a> {
    let conversation = (!conversation.is_empty()).then(|| keys.conversation(conversation.as_bytes()));
    Scope { tenant, subject, conversation }
}

#[test]
fn what_was_sealed_opens_only_as_it_was_sealed() {
    let keys = DataKeys::passing(&ring(1)).unwrap();
    let ann = keys.key(&scope(&keys, "bank", "ann", "")).unwrap();
    let sealed = ann.seal("audit", b"req_1", &[b"hel", b"lo"]).unwrap();
    assert_eq!(ann.open("audit", b"req_1", &sealed).unwrap(), b"hello");
    assert_eq!(ann.open("audit", b"req_2", &sealed), Err(SealError::Damaged));
    assert_eq!(ann.open("other", b"req_1", &sealed), Err(SealError::Damaged));
    for other in [
        scope(&keys, "bank", "bob", ""),
        scope(&keys, "bank", "ann", "c"),
        scope(&keys, "ban", "kann", ""),
        scope(&keys, "ann", "bank", ""),
    ] {
        assert_eq!(keys.key(&other).unwrap().open("audit", b"req_1", &sealed), Err(SealError::Forgotten), "{other:?}");
    }
    for at in 0..sealed.len() {
        let mut bad = sealed.clone();
        bad[at] ^= 1;
        assert!(ann.open("audit", b"req_1", &bad).is_err(), "byte {at}");
        assert!(ann.open("audit", b"req_1", &sealed[..at]).is_err(), "cut at {at}");
    }
    assert_ne!(ann.seal("audit", b"req_1", &[b"hello"]).unwrap(), sealed, "no nonce comes twice");
    assert_eq!(
        ann.derive("a").unwrap().expose(),
        keys.key(&scope(&keys, "bank", "ann", "")).unwrap().derive("a").unwrap().expose()
    );
    assert_ne!(ann.derive("a").unwrap().expose(), ann.derive("b").unwrap().expose());
}

#[test]
fn nodes_that_hold_the_same_rows_have_the_same_keys() {
    let ring = ring(1);
    let rows = DataKeys::begin(&ring).unwrap();
    let (one, two) = (DataKeys::open(&ring, &rows).unwrap(), DataKeys::open(&ring, &rows).unwrap());
    let sealed = one.key(&scope(&one, "t", "s", "c")).unwrap().seal("p", b"", &[b"x"]).unwrap();
    assert_eq!(two.key(&scope(&two, "t", "s", "c")).unwrap().open("p", b"", &sealed).unwrap(), b"x");
    assert!(DataKeys::open(&self::ring(2), &rows).is_err());
    for at in 0..rows.len() {
        let mut fewer = rows.clone();
        fewer.remove(at);
        let opened = DataKeys::open(&ring, &fewer);
        assert!(opened.is_err() || opened.is_ok_and(|keys| keys.key(&scope(&keys, "t", "s", "c")).is_err()));
    }
    let mut swapped = rows;
    let sealed = swapped[0].sealed.clone();
    swapped[1].sealed = sealed;
    assert!(DataKeys::open(&ring, &swapped).is_err(), "a row belongs where it stands");
}

#[test]
fn whom_is_forgotten_nobody_can_read_and_everybody_else_all_can() {
    let ring = ring(1);
    let everyone = [
        ("bank", "", ""),
        ("bank", "ann", ""),
        ("bank", "ann", "c1"),
        ("bank", "ann", "c2"),
        ("bank", "bob", ""),
        ("bank", "bob", "c1"),
        ("shop", "", ""),
        ("shop", "ann", "c1"),
    ];
    for ((tenant, subject, name), reach) in [
        (("bank", "ann", "c1"), &[2][..]),
        (("bank", "ann", ""), &[1, 2, 3]),
        (("bank", "", ""), &[0, 1, 2, 3, 4, 5]),
        (("nobody", "", ""), &[]),
    ] {
        let mut rows = Rows::new(DataKeys::begin(&ring).unwrap());
        let keys = DataKeys::open(&ring, &rows.all()).unwrap();
        let everyone = everyone.map(|(tenant, subject, name)| scope(&keys, tenant, subject, name));
        let forgotten = scope(&keys, tenant, subject, name);
        let before = rows.clone();
        let seal = |s| keys.key(s).unwrap().seal("p", b"", &[b"x"]).unwrap();
        let sealed: Vec<_> = everyone.iter().map(seal).collect();
        rows.write(keys.forget(&ring, &forgotten).unwrap());
        // The way out of a crash in between is the way back: nothing is written, nothing is forgotten.
        let crashed = DataKeys::open(&ring, &before.all()).unwrap();
        keys.load(&ring, &rows.all()).unwrap();
        let restarted = DataKeys::open(&ring, &rows.all()).unwrap();
        for (n, (scope, sealed)) in everyone.iter().zip(&sealed).enumerate() {
            assert_eq!(crashed.key(scope).unwrap().open("p", b"", sealed).unwrap(), b"x");
            for keys in [&keys, &restarted] {
                let opened = keys.key(scope).unwrap().open("p", b"", sealed);
                let expected = if reach.contains(&n) { Err(SealError::Forgotten) } else { Ok(b"x".to_vec()) };
                assert_eq!(opened, expected, "{scope:?} when {forgotten:?} is forgotten");
            }
            // Who comes back is served, under another key.
            let again = keys.key(scope).unwrap().seal("p", b"", &[b"y"]).unwrap();
            assert_eq!(restarted.key(scope).unwrap().open("p", b"", &again).unwrap(), b"y");
        }
    }
}

#[test]
fn a_key_that_was_being_made_meanwhile_is_not_remembered() {
    let ring = ring(1);
    let mut rows = Rows::new(DataKeys::begin(&ring).unwrap());
    let keys = DataKeys::open(&ring, &rows.all()).unwrap();
    let ann = scope(&keys, "bank", "ann", "");
    let held = keys.key(&ann).unwrap();
    rows.write(keys.forget(&ring, &ann).unwrap());
    keys.load(&ring, &rows.all()).unwrap();
    // What is sealed with it now is lost at once, which is what was asked for.
    let late = held.seal("p", b"", &[b"late"]).unwrap();
    assert_eq!(keys.key(&ann).unwrap().open("p", b"", &late), Err(SealError::Forgotten));
}

#[test]
fn no_scope_is_taken_for_another_that_reads_the_same() {
    let keys = DataKeys::passing(&ring(1)).unwrap();
    let id = keys.conversation(b"c");
    let text = "abcdef";
    let mut seen = std::collections::HashSet::new();
    for (tenant, subject) in (0..=text.len()).map(|at| text.split_at(at)) {
        for conversation in [None, Some(id)] {
            let scope = Scope { tenant, subject, conversation };
            // The second time it is remembered.
            let (made, remembered) = (keys.key(&scope).unwrap().id(), keys.key(&scope).unwrap().id());
            assert_eq!(made, remembered);
            assert!(seen.insert(made), "{scope:?}");
        }
    }
}

#[test]
fn the_memory_for_keys_is_bounded_and_losing_it_loses_nothing() {
    let keys = DataKeys::passing(&ring(1)).unwrap();
    let first = keys.key(&scope(&keys, "t", "first", "")).unwrap().seal("p", b"", &[b"x"]).unwrap();
    let key = keys.key(&scope(&keys, "t", "s", "")).unwrap();
    {
        let mut held = keys.held.lock().unwrap();
        for n in 0..REMEMBERED {
            let mut name = Name::default();
            name[..8].copy_from_slice(&n.to_be_bytes());
            held.keys.insert(name, key.clone());
        }
    }
    assert_eq!(keys.key(&scope(&keys, "t", "first", "")).unwrap().open("p", b"", &first).unwrap(), b"x");
    keys.key(&scope(&keys, "t", "another", "")).unwrap();
    assert!(keys.held.lock().unwrap().keys.len() <= REMEMBERED + 2);
}

#[test]
fn rows_are_sealed_again_and_hold_what_they_held() {
    let file = KeyRing::generate().unwrap();
    let old = KeyRing::from_bytes(file.clone()).unwrap();
    let new = KeyRing::from_bytes(KeyRing::rotate(&file).unwrap()).unwrap();
    let rows = DataKeys::begin(&old).unwrap();
    let keys = DataKeys::open(&old, &rows).unwrap();
    let sealed = keys.key(&scope(&keys, "t", "s", "c")).unwrap().seal("p", b"", &[b"x"]).unwrap();
    // Stopped after any number of them, all of it is there.
    for done in 0..=rows.len() {
        let again = |(n, row): (usize, &DataKeyRow)| match n < done {
            true => DataKeys::rewrap(&new, row).unwrap().unwrap(),
            false => row.clone(),
        };
        let mixed: Vec<_> = rows.iter().enumerate().map(again).collect();
        let keys = DataKeys::open(&new, &mixed).unwrap();
        assert_eq!(keys.key(&scope(&keys, "t", "s", "c")).unwrap().open("p", b"", &sealed).unwrap(), b"x");
        let left = mixed.iter().filter(|row| DataKeys::rewrap(&new, row).unwrap().is_some()).count();
        assert_eq!(left, rows.len() - done);
        assert_eq!(DataKeys::open(&old, &mixed).is_ok(), done == 0);
    }
}

#[test]
fn a_conversation_is_known_by_an_id_that_does_not_say_its_name() {
    let ring = ring(1);
    let rows = DataKeys::begin(&ring).unwrap();
    let (one, two) = (DataKeys::open(&ring, &rows).unwrap(), DataKeys::open(&ring, &rows).unwrap());
    let id = one.conversation(b"c-1");
    assert_eq!(id.to_string().parse(), Ok(two.conversation(b"c-1")), "the same on all nodes");
    assert_ne!(id, one.conversation(b"c-2"));
    assert_ne!(id, DataKeys::passing(&ring).unwrap().conversation(b"c-1"), "and nowhere else");
    for bad in ["", "c-1", "0011223344", "001122334455f", "001122334455ff", "00112233445G", "0011223344FF"] {
        assert_eq!(bad.parse::<ConversationId>(), Err(SealError::NotAnId), "{bad}");
    }
}

#[test]
fn nothing_shows_a_key() {
    let keys = DataKeys::passing(&ring(1)).unwrap();
    assert_eq!(format!("{keys:?}"), "DataKeys { .. }");
    assert!(format!("{:?}", keys.key(&scope(&keys, "t", "s", "c")).unwrap()).starts_with("DataKey { id: ["));
}
