//! A disk that fills up: whatever cannot be recorded is refused and reaches no provider, and when there is room again the
//! gateway goes on by itself, with the gap on record.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use countersign_testkit::{Answer, Deployment, Plan, Reply, Upstream, chat_answer, chat_ask, until};
use serde_json::Value;

#[test]
fn what_cannot_be_recorded_does_not_leave() {
    let upstream = Upstream::start(|_| Reply::json(200, &chat_answer("as you say")));
    let home = Plan::new().target("openai", &upstream, &["m"]).write();
    let Some(disk) = Disk::mount(&home.path("state"), "12m") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no file system can be mounted, and this is CI");
        print("SKIPPED: a small disk cannot be mounted here; it takes root");
        return;
    };
    let key = home.key("alice", "staff");
    let gateway = home.serve();
    assert_eq!(ask(&gateway, &key, 10).status, 200);

    for round in 0..2 {
        disk.fill();
        // What the log had set aside for itself is used up first.
        let mut answered = 0;
        let refused = loop {
            let answer = ask(&gateway, &key, 60_000);
            if answer.status != 200 {
                break answer;
            }
            answered += 1;
            assert!(answered < 500, "a full disk takes ever more");
        };
        is_refused(&refused);
        let seen = upstream.seen().len();
        for _ in 0..10 {
            is_refused(&ask(&gateway, &key, 60_000));
        }
        assert_eq!(upstream.seen().len(), seen, "round {round}: asked without a record");
        // Shorter records fit for a while longer; then not even a stranger's refusal does.
        until("the last room to be used up", || {
            let stranger = gateway.post("/v1/chat/completions", "csk_nobody", &chat_ask("hi"));
            assert!(matches!(stranger.status, 401 | 503), "{}", stranger.text());
            (stranger.status == 503 && gateway.get("/readyz", "").status == 503).then(|| is_refused(&stranger))
        });
        is_refused(&ask(&gateway, &key, 10));
        assert_eq!(upstream.seen().len(), seen);
        assert_eq!(gateway.get("/healthz", "").status, 200);

        disk.clear();
        until("the gateway to be ready again", || (gateway.get("/readyz", "").status == 200).then_some(()));
        assert_eq!(ask(&gateway, &key, 60_000).status, 200);
        assert_eq!(upstream.seen().len(), seen + 1);
    }

    let (status, home) = gateway.stop();
    assert!(status.success());
    let said = home.must(&["audit", "verify"]);
    assert!(!said.is_empty());
    let export = home.must(&["audit", "export"]);
    let records: Vec<Value> = export.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let count = |kind: &str| records.iter().filter(|r| r["record"][kind].is_object()).count();
    // As many requests left as are on record, and each has its outcome.
    assert_eq!(count("intent"), upstream.seen().len());
    assert_eq!(count("outcome"), upstream.seen().len());
    let gaps: u64 = records.iter().filter_map(|r| r["record"]["gap"]["refused"].as_u64()).sum();
    assert!(count("gap") >= 2 && gaps >= 22, "{} gaps, {gaps} refused", count("gap"));
    print(&format!("{} requests left, {gaps} were refused for want of a record", upstream.seen().len()));
}

/// A request of about so many bytes.
fn ask(gateway: &Deployment, key: &str, bytes: usize) -> Answer {
    let words: String = (0..=bytes / 16).map(|n| format!("page {n:04} of it, ")).collect();
    gateway.post("/v1/chat/completions", key, &chat_ask(&words))
}

fn is_refused(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_deref()), (503, Some("CS0601")), "{}", answer.text());
}

/// A small file system of its own, unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size},mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "countersign-test"]).arg(at);
        mount.output().is_ok_and(|o| o.status.success()).then(|| Self(at.to_owned()))
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut size = 1 << 20;
        let mut n = 0;
        while size > 0 {
            n += 1;
            let path = self.ballast(n);
            if fs::write(&path, vec![1; size]).is_err() {
                // What there was room for stays, and the rest is tried in smaller pieces.
                size /= 4;
            }
            assert!(n < 1_000, "a small disk takes ever more");
        }
    }

    /// Makes room again.
    fn clear(&self) {
        for n in 1..1_000 {
            if fs::remove_file(self.ballast(n)).is_err() {
                break;
            }
        }
    }

    fn ballast(&self, n: usize) -> PathBuf {
        self.0.join(format!("ballast-{n}"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the gateway may not be gone yet.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
fn print(text: &str) {
    println!("{text}");
}
