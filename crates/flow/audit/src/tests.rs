//! The stage from outside: what goes in comes back, and nothing else does.

mod crash;
mod edits;

use countersign_core::{Code, ConversationName, Entity, StandIns, taint::Context};
use countersign_seal::{DataKeyRow, Scope};

use crate::{
    Checkpoint, Dir, DiskDir, MemoryDir, find, merkle,
    note::BadNote,
    proof::{Proof, Trust},
    record::Record,
    show,
    support::{DATA, ORIGIN, clock, id, open, outcome, refused, ring, screened, verify},
};

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
}

#[test]
fn what_happened_comes_back() {
    run(async {
        let dir = MemoryDir::default();
        let audit = open(dir.clone()).unwrap();
        let intended = audit.intend(screened(1, "the prompt")).await.unwrap();
        assert_eq!(intended.record(), 1);
        audit.refused(refused(2)).await.unwrap();
        assert_eq!(audit.settle(outcome(1, 1, "the answer")).await.unwrap(), 3);
        audit.close().await;
        assert_eq!(audit.checkpoint().checkpoint.size, 4);
        assert_eq!(audit.intend(screened(4, "late")).await.err().unwrap().code, Code::ShuttingDown);

        let report = verify(&dir);
        assert!(report.is_whole(), "{report:?}");
        assert_eq!((report.held, report.unsigned, report.opened), (4, 0, 2));

        let found = find(&dir, id(1)).unwrap();
        assert_eq!(found.iter().map(|s| s.index).collect::<Vec<_>>(), [1, 3]);
        let texts: Vec<_> = found.iter().map(|s| s.text(ORIGIN, &DATA).unwrap().unwrap()).collect();
        assert_eq!((texts[0].bytes.as_slice(), texts[1].bytes.as_slice()), (&b"the prompt"[..], &b"the answer"[..]));
        assert_eq!(texts[1].sha256, merkle::sha256(b"the answer"));
        let Record::Refused(stranger) = &find(&dir, id(2)).unwrap()[0].record else { panic!() };
        assert_eq!((stranger.code.as_ref(), &stranger.body), ("CS0201", &None));

        let mut lines = Vec::new();
        assert_eq!(show::export(&dir, Some((ORIGIN, &DATA)), &mut lines).unwrap(), (4, 0));
        let lines = String::from_utf8(lines).unwrap();
        assert_eq!(lines.lines().count(), 4);
        assert!(lines.contains("\"text\":\"the prompt\"") && lines.contains("\"text\":\"the answer\""));
    });
}

#[test]
fn no_text_stands_in_the_clear() {
    run(async {
        let dir = MemoryDir::default();
        let audit = open(dir.clone()).unwrap();
        audit.intend(screened(1, "canary-7f3a in the prompt")).await.unwrap();
        audit.refused(refused(2)).await.unwrap();
        audit.settle(outcome(1, 1, "canary-7f3a in the answer")).await.unwrap();
        audit.close().await;
        for path in dir.list("").unwrap() {
            let bytes = dir.read(&path).unwrap();
            for text in [&b"canary"[..], b"stranger", &merkle::sha256(b"canary-7f3a in the answer")] {
                assert!(!bytes.windows(text.len()).any(|w| w == text), "{path}");
            }
        }
    });
}

#[test]
fn a_log_on_disk_is_opened_again_and_goes_on() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        for round in 0..3 {
            let audit = open(DiskDir::open(&path).unwrap()).unwrap();
            assert!(DiskDir::open(&path).is_err(), "two writers");
            for n in 0..300 {
                let intended = audit.intend(screened(n, "hello")).await.unwrap();
                drop(audit.settle(outcome(n, intended.record(), "hi")));
            }
            assert!(audit.healthy());
            audit.close().await;
            assert_eq!(audit.checkpoint().checkpoint.size, (round + 1) * 601);
        }
        let dir = DiskDir::read_only(&path).unwrap();
        let report = verify(&dir);
        assert!(report.is_whole(), "{:?}", report.damage);
        assert_eq!((report.held, report.opened), (1803, 1800));
        for index in [0, 1, 255, 256, 1000, 1802] {
            let proof = Proof::of(&dir, index).unwrap();
            let leaf = show::records(&dir).unwrap().nth(index as usize).unwrap().unwrap().leaf;
            assert_eq!(merkle::leaf_hash(&proof.entry), leaf);
            let keys = ring().verifiers(ORIGIN).unwrap();
            proof.verify(&Trust { origin: ORIGIN, keys: &keys, witnesses: &[] }).unwrap();
        }
        assert!(Proof::of(&dir, 1803).is_err());
    });
}

/// What a power cut leaves of a log that is in use: the records, and the zeros written ahead of those to come.
#[test]
fn a_copy_of_a_log_in_use_opens() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (used, copy) = (folder.path().join("used"), folder.path().join("copy"));
        let audit = open(DiskDir::open(&used).unwrap()).unwrap();
        for n in 0..20 {
            audit.intend(screened(n, "hello")).await.unwrap();
        }
        let from = DiskDir::read_only(&used).unwrap();
        let files: Vec<_> =
            from.list("").unwrap().into_iter().map(|path| (path.clone(), from.read(&path).unwrap())).collect();
        assert!(files.iter().any(|(path, bytes)| path.starts_with("journal/") && bytes.ends_with(&[0; 1000])));
        let to = DiskDir::open(&copy).unwrap();
        to.put(&files).unwrap();
        assert!(verify(&to).is_whole());

        let again = open(to).unwrap();
        assert_eq!(again.intend(screened(99, "on it goes")).await.unwrap().record(), 22);
        again.close().await;
        let copied = DiskDir::read_only(&copy).unwrap();
        assert!(verify(&copied).is_whole());
        let Record::Opened(opened) = show::records(&copied).unwrap().nth(21).unwrap().unwrap().record else { panic!() };
        assert_eq!(opened.torn, None);
    });
}

#[test]
fn many_at_once_all_get_their_own_place() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let dir = MemoryDir::default();
        let audit = std::sync::Arc::new(open(dir.clone()).unwrap());
        let tasks: Vec<_> = (0..16_u64)
            .map(|t| {
                let audit = audit.clone();
                tokio::spawn(async move {
                    for i in 0..50 {
                        let n = t * 1000 + i;
                        let intended = audit.intend(screened(n, "x")).await.unwrap();
                        drop(audit.settle(outcome(n, intended.record(), "y")));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        audit.close().await;
        let mut intents = std::collections::BTreeMap::new();
        let mut outcomes = 0;
        for shown in show::records(&dir).unwrap() {
            let shown = shown.unwrap();
            match shown.record {
                Record::Intent(intent) => assert!(intents.insert(intent.request, shown.index).is_none()),
                Record::Outcome(outcome) => {
                    assert_eq!(intents.get(&outcome.request), Some(&outcome.intent));
                    outcomes += 1;
                }
                _ => {}
            }
        }
        assert_eq!((intents.len(), outcomes), (800, 800));
        assert!(verify(&dir).is_whole());
    });
}

#[test]
fn a_log_opens_only_under_its_own_name_and_keys() {
    run(async {
        let dir = MemoryDir::default();
        open(dir.clone()).unwrap().close().await;
        let with = |origin: &str, byte: u8| {
            let ring = countersign_seal::KeyRing::from_bytes(countersign_core::Secret::new(vec![byte; 32])).unwrap();
            let keys = crate::Keys { ring: ring.into(), data: DATA.clone(), origin: origin.to_owned() };
            let stamp = countersign_core::life::Stamps::issue().intend;
            crate::Audit::open(stamp, std::sync::Arc::new(dir.clone()), keys, clock()).err().unwrap()
        };
        assert!(matches!(with("example.com/other", 5), crate::AuditError::Checkpoint(BadNote::Origin)));
        assert!(matches!(with(ORIGIN, 6), crate::AuditError::Checkpoint(BadNote::Unsigned)));
        assert!(matches!(with("with space", 5), crate::AuditError::Origin));
    });
}

#[test]
fn nothing_is_accepted_over_a_damaged_log() {
    run(async {
        let dir = MemoryDir::default();
        let audit = open(dir.clone()).unwrap();
        for n in 0..10 {
            audit.intend(screened(n, "x")).await.unwrap();
        }
        audit.close().await;
        let journal = dir.list("journal").unwrap().remove(0);
        let whole = dir.read(&journal).unwrap();

        dir.put(&[(journal.clone(), whole[..whole.len() - 1].to_vec())]).unwrap();
        assert!(matches!(open(dir.clone()), Err(crate::AuditError::Damaged { record: Some(10), .. })));
        dir.put(&[(journal, whole)]).unwrap();

        let checkpoint = dir.read("checkpoint").unwrap();
        dir.remove("checkpoint").unwrap();
        assert!(matches!(open(dir.clone()), Err(crate::AuditError::Damaged { .. })));
        dir.put(&[("checkpoint".to_owned(), checkpoint)]).unwrap();
        assert!(open(dir.clone()).is_ok());
    });
}

#[test]
fn a_remembered_checkpoint_finds_a_rewritten_history() {
    run(async {
        let (honest, rewritten) = (MemoryDir::default(), MemoryDir::default());
        for (dir, word) in [(&honest, "a"), (&rewritten, "b")] {
            let audit = open(dir.clone()).unwrap();
            for n in 0..5 {
                audit.intend(screened(n, word)).await.unwrap();
            }
            audit.close().await;
        }
        let remembered = Checkpoint::peek(&honest.read("checkpoint").unwrap()).unwrap();
        let ring = ring();
        let keys = ring.verifiers(ORIGIN).unwrap();
        let against = crate::verify::Against { origin: ORIGIN, keys: &keys, data: None, remembered: Some(&remembered) };
        assert!(crate::verify::verify(&honest, &against).is_whole());
        assert!(!crate::verify::verify(&rewritten, &against).is_whole());
        let short = MemoryDir::default();
        open(short.clone()).unwrap().close().await;
        assert_eq!(crate::verify::verify(&short, &against).first(), Some(1));
    });
}

/// Forgets `whom` in these keys.
fn forget(
    ring: &countersign_seal::KeyRing,
    data: &countersign_seal::DataKeys,
    rows: &mut Vec<DataKeyRow>,
    whom: &Scope<'_>,
) {
    let forgetting = data.forget(ring, whom).unwrap();
    rows.retain(|row| !forgetting.gone.contains(&row.place));
    rows.extend(forgetting.come);
    data.load(ring, rows).unwrap();
}

#[test]
fn a_conversation_is_forgotten_by_itself_and_with_its_person() {
    run(async {
        let dir = MemoryDir::default();
        let ring = ring();
        let mut rows = countersign_seal::DataKeys::begin(&ring).unwrap();
        let data = std::sync::Arc::new(countersign_seal::DataKeys::open(&ring, &rows).unwrap());
        let keys = crate::Keys { ring: ring.clone(), data: data.clone(), origin: ORIGIN.to_owned() };
        let stamp = countersign_core::life::Stamps::issue().intend;
        let audit = crate::Audit::open(stamp, std::sync::Arc::new(dir.clone()), keys, clock()).unwrap();
        let stamps = countersign_core::life::Stamps::issue();
        for (n, name) in [None, Some("one"), Some("two")].into_iter().enumerate() {
            let n = n as u64;
            let name = name.map(|name| ConversationName::parse(name.as_bytes()).unwrap());
            let mut made = StandIns::new(true).keeping();
            assert!(made.add("k7f3qab", Entity::Email, &format!("ann-{n}@bank.example")));
            let context = Context { stand_ins: Some(std::sync::Arc::new(made)), ..Context::default() };
            let asked = screened(n, "mail [EMAIL_1:k7f3qab]").within(&stamps.screen, context);
            let intended = audit.intend(asked.in_conversation(&stamps.screen, name.clone())).await.unwrap();
            let ended = crate::Outcome { conversation: name, ..outcome(n, intended.record(), "it is sent") };
            audit.settle(ended).await.unwrap();
        }
        audit.close().await;
        let readable = || {
            let mut all = Vec::new();
            for shown in show::records(&dir).unwrap().map(Result::unwrap).filter(|s| s.record.sealed().is_some()) {
                let value =
                    shown.value("k7f3qab", ORIGIN, &data).map(|found| found.map(|(_, value)| value.expose().clone()));
                match shown.text(ORIGIN, &data) {
                    // What stand-ins stand for is no part of the text that is shown.
                    Ok(Some(text)) if text.bytes == b"mail [EMAIL_1:k7f3qab]" => all.extend(value.unwrap()),
                    Ok(Some(text)) => assert!(text.bytes == b"it is sent" && value == Ok(None)),
                    other => {
                        assert_eq!(other.err(), Some(countersign_seal::SealError::Forgotten));
                        assert_eq!(value, Err(countersign_seal::SealError::Forgotten));
                    }
                }
            }
            let verifiers = ring.verifiers(ORIGIN).unwrap();
            let against =
                crate::verify::Against { origin: ORIGIN, keys: &verifiers, data: Some(&data), remembered: None };
            let report = crate::verify::verify(&dir, &against);
            assert!(report.is_whole());
            assert_eq!((report.opened, report.forgotten), (2 * all.len() as u64, 6 - 2 * all.len() as u64));
            all
        };
        assert_eq!(readable(), ["ann-0@bank.example", "ann-1@bank.example", "ann-2@bank.example"]);
        let entries =
            dir.list("journal").unwrap().into_iter().flat_map(|path| dir.read(&path).unwrap()).collect::<Vec<_>>();
        let clear = String::from_utf8_lossy(&entries);
        assert!(
            !clear.contains("bank.example") && !clear.contains("\"one\""),
            "neither a value nor a name is in the clear"
        );
        let person = Scope { tenant: "acme", subject: "u-1", conversation: None };
        forget(&ring, &data, &mut rows, &Scope { conversation: Some(data.conversation(b"one")), ..person });
        assert_eq!(readable(), ["ann-0@bank.example", "ann-2@bank.example"]);
        forget(&ring, &data, &mut rows, &person);
        assert_eq!(readable(), [""; 0]);
    });
}

#[test]
fn who_is_forgotten_leaves_a_log_that_verifies() {
    run(async {
        let dir = MemoryDir::default();
        let ring = ring();
        let mut rows = countersign_seal::DataKeys::begin(&ring).unwrap();
        let data = std::sync::Arc::new(countersign_seal::DataKeys::open(&ring, &rows).unwrap());
        let keys = crate::Keys { ring: ring.clone(), data: data.clone(), origin: ORIGIN.to_owned() };
        let stamp = countersign_core::life::Stamps::issue().intend;
        let audit = crate::Audit::open(stamp, std::sync::Arc::new(dir.clone()), keys, clock()).unwrap();
        for n in 0..3 {
            let intended = audit.intend(screened(n, "what nobody shall read")).await.unwrap();
            audit.settle(outcome(n, intended.record(), "nor this")).await.unwrap();
        }
        audit.close().await;
        let verified = || {
            let verifiers = ring.verifiers(ORIGIN).unwrap();
            let against =
                crate::verify::Against { origin: ORIGIN, keys: &verifiers, data: Some(&data), remembered: None };
            crate::verify::verify(&dir, &against)
        };
        assert_eq!((verified().opened, verified().forgotten), (6, 0));
        forget(&ring, &data, &mut rows, &Scope { tenant: "acme", subject: "u-1", conversation: None });
        let report = verified();
        assert!(report.is_whole());
        assert_eq!((report.opened, report.forgotten), (0, 6));
        for shown in show::records(&dir).unwrap().map(Result::unwrap).filter(|s| s.record.sealed().is_some()) {
            assert_eq!(shown.text(ORIGIN, &data), Err(countersign_seal::SealError::Forgotten));
        }
    });
}
