use countersign_core::{RequestId, Timestamp};

use crate::{
    Dir, MemoryDir,
    audit::item,
    find,
    journal::Journal,
    record::{Answered, Changed, Members, Place, Record, Strangers, Who},
    support::principal,
};

fn id(seconds: u64, n: u8) -> RequestId {
    RequestId::new(Timestamp(seconds * 1_000_000), [n; 10])
}

fn who() -> Who {
    (&*principal()).into()
}

fn from() -> Place {
    Place { ip: None, listener: "main".into() }
}

fn answered(request: RequestId, seconds: u64) -> Record {
    let (at, what) = (seconds * 1_000_000, "models".into());
    Record::Answered(Answered { request, at, who: who(), from: from(), what, findings: Default::default() })
}

fn changed(request: RequestId, seconds: u64) -> Record {
    Record::Changed(Changed {
        request,
        at: seconds * 1_000_000,
        who: who(),
        from: from(),
        action: "createKey".into(),
        what: "key_1".into(),
        was: Members::new(),
        becomes: Members::new(),
    })
}

/// A journal with a file for every record.
fn log(records: &[Record]) -> MemoryDir {
    let dir = MemoryDir::default();
    let mut journal = Journal::open(&dir, 0, 0, |_, _| Ok(())).unwrap().journal;
    journal.segment = 1;
    for record in records {
        let item = item(record, Vec::new()).unwrap();
        journal.append(&dir, u64::MAX, 0, std::iter::once(&item)).unwrap();
    }
    dir
}

fn indexes(dir: &MemoryDir, request: RequestId) -> Vec<u64> {
    find(dir, request).unwrap().iter().map(|shown| shown.index).collect()
}

#[test]
fn what_is_on_record_about_a_request_is_found_wherever_it_stands() {
    let records: Vec<_> = (0..40).map(|i| answered(id(1000 + i, 1), 1000 + i)).collect();
    let dir = log(&records);
    assert!(dir.list("journal").unwrap().len() >= 40, "one file each");
    for i in 0..40 {
        assert_eq!(indexes(&dir, id(1000 + i, 1)), [i]);
        assert!(indexes(&dir, id(1000 + i, 2)).is_empty(), "another of the same moment");
    }
    assert!(indexes(&dir, id(1, 1)).is_empty() && indexes(&dir, id(9999, 1)).is_empty());
}

#[test]
fn records_far_apart_are_found_together() {
    let mut records: Vec<_> = (0..20).map(|i| answered(id(1000 + i, 1), 1000 + i)).collect();
    let slow = id(1005, 7);
    records.insert(6, changed(slow, 1005));
    records.push(answered(slow, 1030));
    assert_eq!(indexes(&log(&records), slow), [6, 21]);
}

#[test]
fn a_clock_that_was_set_back_hides_nothing() {
    let mut records: Vec<_> = (0..20).map(|i| answered(id(5000 + i, 1), 5000 + i)).collect();
    records.extend((0..20).map(|i| answered(id(1000 + i, 1), 1000 + i)));
    records.push(Record::Strangers(Strangers { from: "a net".into(), count: 1, first: 0, last: 0 }));
    let dir = log(&records);
    for i in 0..20 {
        assert_eq!(indexes(&dir, id(5000 + i, 1)), [i]);
        assert_eq!(indexes(&dir, id(1000 + i, 1)), [20 + i]);
    }
}
