use std::{fs, sync::Arc};

use countersign_audit::{Audit, DiskDir, Keys, Outcome, verify::Report};
use countersign_core::{Code, RequestId, life::Stamps};
use countersign_seal::Scope;
use tempfile::TempDir;

use super::*;
use crate::{
    cmd::{Failure, Problems, audit::verify_own},
    config,
    holds::Wanted,
    state::State,
};

/// Records of a day.
const EACH: u64 = 300;

/// A gateway whose log has six days of long ago, each a file of its own, and today.
async fn old(more: &str) -> (Assembly, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "state = \"state\"\n[[listener]]\nname = \"main\"\nunix = \"a\"\n[[target]]\nname = \"t\"\nspeaks = \"openai\"\n\
         url = \"http://127.0.0.1:9\"\nmodels = [\"m\"]\n[policy]\nfiles = [\"policy.cedar\"]\n{more}\n"
    );
    let policy = r#"permit (principal, action == Countersign::Action::"ask", resource);"#;
    fs::write(folder.path().join("policy.cedar"), policy).unwrap();
    fs::write(folder.path().join("countersign.toml"), text).unwrap();
    let config = config::load(&folder.path().join("countersign.toml")).map_err(Problems).unwrap();
    let state = State::open(&config.home).await.unwrap();
    for day in 1..7 {
        lived(&state, clock::now().0 - (500 - day) * DAY).await;
    }
    (Assembly::new(&config, state).await.unwrap(), folder)
}

async fn lived(state: &State, at: u64) {
    let keys = Keys { ring: state.ring().clone(), data: state.data().clone(), origin: state.node().to_owned() };
    let dir = Arc::new(DiskDir::open(state.audit_dir()).unwrap());
    let audit = Audit::open(Stamps::issue().intend, dir, keys, Arc::new(move || Timestamp(at))).unwrap();
    for n in 1..EACH {
        drop(audit.settle(Outcome {
            request: RequestId::new(Timestamp(at), clock::random()),
            record: 0,
            tenant: "bank".into(),
            subject: if n == 7 { "ann".into() } else { "ben".into() },
            conversation: None,
            at: Timestamp(at + n),
            status: 200,
            code: None,
            reason: None,
            target: None,
            findings: Vec::new(),
            judged: None,
            input_tokens: None,
            output_tokens: None,
            back: Vec::new(),
            answer: Some("the answer".into()),
            answer_sha256: Some([7; 32]),
            bytes: 10,
            duration: Duration::ZERO,
            upstream_called: true,
        }));
    }
    audit.close().await;
}

fn verified(assembly: &Assembly) -> Report {
    let report = verify_own(assembly.state(), None, None).unwrap();
    assert!(report.is_whole(), "{:?}", report.damage);
    report
}

#[tokio::test]
async fn what_is_older_than_is_kept_is_given_up_and_only_that() {
    let (assembly, _folder) = old("[audit]\nkeep_days = 400").await;
    let now = clock::now();
    // The last two files stay, and the bundle that they begin in.
    assert_eq!(look(&assembly, now).await.unwrap(), 4 * EACH);
    let report = verified(&assembly);
    assert_eq!(report.given_up, 4 * EACH);
    let (_, giving) = report.giving.unwrap();
    assert_eq!((giving.keep_days, giving.before, giving.ever), (400, now.0 - 400 * DAY, vec![[0, 4 * EACH]]));
    assert_eq!(look(&assembly, now).await.unwrap(), 0);
    assembly.gateway().stages().audit.close().await;
    assert_eq!(verified(&assembly).given_up, 4 * EACH);
}

#[tokio::test]
async fn nothing_is_given_up_where_nothing_is_said_or_all_is_young() {
    for more in ["", "[audit]\nkeep_days = 500"] {
        let (assembly, _folder) = old(more).await;
        assert_eq!(look(&assembly, clock::now()).await.unwrap(), 0, "{more}");
        assert_eq!(verified(&assembly).giving, None, "{more}");
    }
}

/// Nor what is not known to be in the archive.
#[tokio::test]
async fn nothing_is_given_up_that_the_archive_cannot_be_asked_for() {
    let nobody =
        "[audit]\nkeep_days = 400\n[audit.archive]\nbucket = \"e\"\nregion = \"r\"\nendpoint = \"http://127.0.0.1:9\"";
    let (assembly, _folder) = old(nobody).await;
    assert!(look(&assembly, clock::now()).await.is_err());
    assert_eq!(verified(&assembly).giving, None);
}

#[tokio::test]
async fn a_hold_keeps_what_it_covers_from_age_and_from_forgetting() {
    let (assembly, _folder) = old("[audit]\nkeep_days = 400").await;
    let (store, now) = (assembly.state().store(), clock::now());
    let day = |n: u64| Some(clock::rfc3339(Timestamp(now.0 - (500 - n) * DAY - DAY / 2)));
    let wanted = Wanted {
        tenant: Some("bank".into()),
        person: Some("ann".into()),
        from: day(2),
        until: day(3),
        reason: "case 4711".into(),
    };
    let hold = wanted.record("bank/lea", now).unwrap();
    store.insert_hold(&hold).await.unwrap();
    assert_eq!(look(&assembly, now).await.unwrap(), 3 * EACH);
    let report = verified(&assembly);
    assert_eq!(*report.giving.unwrap().1.holds, *std::slice::from_ref(&hold.id));

    // Not even by the store's own door: what destroys keys looks at the holds itself.
    let ann = Scope { tenant: "bank", subject: "ann", conversation: None };
    let refused = assembly.state().forget(&ann).await.unwrap_err().downcast::<Failure>().unwrap();
    assert!(refused.code == Code::OnHold && refused.what.contains(&*hold.id), "{refused}");
    assert_eq!(verified(&assembly).forgotten, 0);

    for by in ["bank/lea", "bank/max"] {
        store.release_hold(&hold.id, by, "settled", now, holds::lapsed(now)).await.unwrap();
    }
    assert_eq!(look(&assembly, now).await.unwrap(), EACH);
    assert_eq!(verified(&assembly).given_up, 4 * EACH);
    assembly.state().forget(&ann).await.unwrap();
    assert_eq!(verified(&assembly).forgotten, 2, "of the days that are left");
}

#[tokio::test]
async fn what_nobody_has_taken_yet_stays() {
    let export = "[audit]\nkeep_days = 400\n[[export]]\nname = \"siem\"\nform = \"otlp\"\nto = \"http://127.0.0.1:9/v1/logs\"\n\
                  cleartext = \"i-accept-cleartext-on-loopback\"";
    let (assembly, _folder) = old(export).await;
    let (store, node, now) = (assembly.state().store(), assembly.state().node(), clock::now());
    assert_eq!(look(&assembly, now).await.unwrap(), 0);
    store.replay_export("siem", node, 3 * EACH - 1).await.unwrap();
    assert_eq!(look(&assembly, now).await.unwrap(), 2 * EACH);
    verified(&assembly);
}
