//! kill -9 between a request and what is done about it: whatever is on record is acted on, and each step takes effect once.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::SystemTime,
};

use countersign_testkit::{Deployment, Home, Reply, Upstream, until, with_length};
use serde_json::Value;

use super::{CLEAR, done, home, notify, outcomes, restrain, trips, upstream};

/// Nobody but this can write to the store while it lives.
struct Hold(Child);

impl Hold {
    fn on(home: &Home) -> Self {
        let script = "import sqlite3, sys\nstore = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                      store.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\nsys.stdin.read()";
        let mut child = Command::new("python3")
            .args(["-c", script])
            .arg(home.path("state/countersign.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut said).expect("Python writes");
        assert_eq!(said.trim(), "held");
        Self(child)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn whoever_is_told() -> (Upstream, String) {
    let security = Upstream::start(|_| Reply::new().send(with_length(200, "application/json", b"{}")));
    let channel = format!("[[channel]]\nname = \"security\"\nurl = \"{}/told\"\n{CLEAR}", security.url());
    (security, channel)
}

/// Which messages arrived, by their names.
fn told(security: &Upstream) -> BTreeSet<String> {
    let heads = security.seen().into_iter().map(|asked| asked.head.to_ascii_lowercase());
    heads.filter_map(|h| h.lines().find_map(|l| Some(l.strip_prefix("webhook-id:")?.trim().to_owned()))).collect()
}

/// Who tripped the canary, as the log has it.
fn on_record(home: &Home) -> BTreeSet<String> {
    let log = home.must(&["audit", "export"]);
    let of = |line: &str| {
        let value: Value = serde_json::from_str(line).ok()?;
        let outcome = value.pointer("/record/outcome").or_else(|| value.get("outcome"))?.clone();
        let tripped = outcome["code"] == "CS0502";
        tripped.then(|| format!("principal:default/{}", outcome["subject"].as_str().unwrap_or_default()))
    };
    log.lines().filter_map(of).collect()
}

#[test]
fn an_alert_that_could_not_be_kept_before_a_kill_is_acted_on_after_it() {
    let upstream = upstream();
    let (security, channel) = whoever_is_told();
    let home = home(&upstream, &[restrain("quarantine"), notify("security")], &channel);
    let (root, alice) = (home.key("root", "root"), home.key("alice", "staff"));
    let gateway = home.serve();
    until("the key to be known", || (gateway.get("/v1/models", &alice).status == 200).then_some(()));
    // The store takes nothing: the alert is raised, and no run can begin.
    let hold = Hold::on(&gateway.home);
    trips(&gateway, &alice);
    until("the outcome to be on record", || on_record(&gateway.home).contains("principal:default/alice").then_some(()));
    let _ = gateway.logged("somebody's timeline went wrong");
    let home = gateway.kill();
    drop(hold);
    assert!(told(&security).is_empty());
    let gateway = home.serve();
    let run = done(&gateway, &root, 1).remove(0);
    assert_eq!((run["target"].as_str(), outcomes(&run)[1]), (Some("principal:default/alice"), "told"));
    // Once is enough: what is gone through again after another kill sets nothing off again.
    let gateway = gateway.kill().serve();
    let _ = gateway.logged("before the start");
    assert_eq!((done(&gateway, &root, 1).len(), told(&security).len()), (1, 1));
}

#[test]
fn whatever_is_on_record_is_acted_on_once_wherever_the_kill_comes() {
    let upstream = upstream();
    let (security, channel) = whoever_is_told();
    let home = home(&upstream, &[restrain("quarantine"), notify("security")], &channel);
    let root = home.key("root", "root");
    let kills = [0, 0, 1, 2, 3, 4, 5, 6, 8];
    let people: Vec<String> = (0..kills.len()).map(|n| home.key(&format!("p{n}"), "staff")).collect();
    let mut gateway = home.serve();
    for (key, times) in people.iter().zip(kills) {
        until("the key to be known", || (gateway.get("/v1/models", key).status == 200).then_some(()));
        let before = told(&security).len();
        trips(&gateway, key);
        changed(&gateway, times, || told(&security).len() > before);
        gateway = gateway.kill().serve();
    }
    let tripped = on_record(&gateway.home);
    assert!(!tripped.is_empty());
    let acted = || {
        let runs = done(&gateway, &root, 0);
        let of = |run: &Value| run["target"].as_str().map(str::to_owned);
        let targets: BTreeSet<String> = runs.iter().filter_map(of).collect();
        tripped.is_subset(&targets).then_some(runs)
    };
    let runs = until("everybody who tripped it to be dealt with", acted);
    let targets: BTreeSet<_> = runs.iter().map(|run| run["target"].as_str()).collect();
    assert_eq!(targets.len(), runs.len(), "one run for each: {runs:?}");
    let (_, laid) = gateway.ask("GET", "/admin/v1/restraints", &root, None);
    let laid = laid["items"].as_array().expect("restraints").clone();
    assert_eq!((laid.len(), told(&security).len()), (runs.len(), runs.len()), "{laid:?}");
    for run in &runs {
        let outcomes = outcomes(run);
        assert!(outcomes.len() == 2 && outcomes[0].ends_with(": quarantine") && outcomes[1] == "told", "{run}");
        assert_eq!(laid.iter().filter(|of| of["run"] == run["id"]).count(), 1, "{laid:?}");
    }
}

/// Waits until the store's files have changed so many times, or it is over.
fn changed(gateway: &Deployment, times: usize, over: impl Fn() -> bool) {
    let look = || -> Vec<Option<(u64, SystemTime)>> {
        let file = |name: &str| {
            let file = fs::metadata(gateway.home.path(name)).ok()?;
            Some((file.len(), file.modified().ok()?))
        };
        ["state/countersign.db", "state/countersign.db-wal"].map(file).into()
    };
    let (mut seen, mut left) = (look(), times);
    while left > 0 && !over() {
        let now = look();
        if now != seen {
            (seen, left) = (now, left - 1);
        }
    }
}
