//! kill -9 in the middle of forgetting: somebody is forgotten or not, with a receipt or not at all, and nobody else is.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Child, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::SystemTime,
};

use countersign_testkit::{Deployment, Home, Plan, Upstream, chat_ask, request, until};
use serde_json::{Value, json};

use super::{state, upstream};

const POLICY: &str = r#"
permit (principal in Countersign::Role::"staff", action, resource);
permit (principal in Countersign::Role::"officer", action == Countersign::Action::"forget", resource);
"#;

/// Somebody who may be forgotten.
struct Whom {
    tenant: String,
    person: Option<String>,
    conversation: Option<String>,
    /// What they said.
    text: String,
}

impl Whom {
    /// The n-th: tenants, persons and conversations in turn.
    fn new(n: usize) -> Self {
        let text = format!("the words of number {n:02}.");
        let (tenant, person, conversation) = match n % 3 {
            0 => (format!("tenant-{n}"), None, None),
            1 => ("default".to_owned(), Some(format!("person-{n}")), None),
            _ => ("default".to_owned(), Some("carl".to_owned()), Some(format!("c-{n}"))),
        };
        Self { tenant, person, conversation, text }
    }

    fn key(&self, home: &Home) -> String {
        let subject = self.person.as_deref().unwrap_or("somebody");
        home.must(&["key", "create", subject, "--role", "staff", "--tenant", &self.tenant]).trim().to_owned()
    }

    /// Says it, in their name.
    fn says(&self, gateway: &Deployment, key: &str) {
        let bearer = format!("Bearer {key}");
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        headers.extend(self.conversation.as_deref().map(|name| ("countersign-conversation", name)));
        let body = chat_ask(&self.text).to_string();
        let answer = gateway.exchange(&request("POST", "/v1/chat/completions", &headers, body.as_bytes()));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn command(&self) -> Vec<&str> {
        let mut command = vec!["vault", "forget", "--tenant", &self.tenant];
        let named = [("--person", &self.person), ("--conversation", &self.conversation)];
        command.extend(named.into_iter().filter_map(|(flag, name)| Some([flag, name.as_deref()?])).flatten());
        command
    }

    fn body(&self) -> Value {
        let mut body = json!({"tenant": self.tenant});
        let named = [("person", &self.person), ("conversation", &self.conversation)];
        named.into_iter().for_each(|(what, name)| {
            if let Some(name) = name {
                body[what] = json!(name);
            }
        });
        body
    }

    /// As the receipt says it.
    fn receipt(&self) -> String {
        let mut said = format!("forget tenant {:?}", self.tenant);
        for (what, name) in [("person", &self.person), ("conversation", &self.conversation)] {
            said.extend(name.iter().map(|name| format!(" {what} {name:?}")));
        }
        said + ", key from "
    }
}

/// What the store's files look like from outside.
fn look(home: &Home) -> Vec<Option<(u64, SystemTime)>> {
    let of = |path: PathBuf| {
        let file = fs::metadata(path).ok()?;
        Some((file.len(), file.modified().ok()?))
    };
    ["countersign.db", "countersign.db-wal"].map(|name| of(state(home, name))).into()
}

/// Waits until the store's files have changed `times` times; false where that is over before.
fn changed(home: &Home, times: usize, mut over: impl FnMut() -> bool) -> bool {
    let (mut seen, mut left) = (look(home), times);
    while left > 0 {
        if over() {
            return false;
        }
        let now = look(home);
        if now != seen {
            (seen, left) = (now, left - 1);
        }
    }
    true
}

/// Has somebody forgotten by a command that is killed once the store's files have changed `times` times; false where it ended before.
fn killed(home: &Home, whom: &Whom, times: usize) -> bool {
    let mut command = home.command(&whom.command());
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let in_time = changed(home, times, || child.try_wait().expect("it can be waited for").is_some());
    let _ = child.kill();
    let _ = child.wait();
    in_time
}

/// What can be read of the texts.
fn readable(home: &Home, all: &[Whom]) -> Vec<bool> {
    let log = home.must(&["audit", "show", "--last", "1000", "--bodies"]);
    all.iter().map(|whom| log.contains(&whom.text)).collect()
}

/// Seeds that stand anywhere in the store's files, and how many there are to be.
fn seeds(home: &Home) -> (usize, usize) {
    let mut found = BTreeSet::new();
    for name in ["countersign.db", "countersign.db-wal"] {
        gather(&fs::read(state(home, name)).unwrap_or_default(), &mut found);
    }
    let status = home.must(&["keys", "status"]);
    let told = status.split("seals ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a number");
    // One of them is of no place: what names are hashed with.
    (found.len(), told.parse::<usize>().expect("a number") - 1)
}

/// Every sealed seed in these bytes: it stands after its place, `DEPTH-PATH`, in base64.
fn gather(bytes: &[u8], found: &mut BTreeSet<Vec<u8>>) {
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'-') {
        let Some((path, rest)) = bytes[at + 1..].split_at_checked(36) else { continue };
        let Some(sealed) = rest.get(..80) else { continue };
        let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        if path.iter().all(u8::is_ascii_hexdigit) && sealed.iter().all(base64) {
            found.insert([path, sealed].concat());
        }
    }
}

/// People and tenants who have said something, and a key of one who may have them forgotten.
fn told(upstream: &Upstream, count: usize) -> (Deployment, Vec<Whom>, String) {
    let all: Vec<_> = (0..count).map(Whom::new).collect();
    let home = Plan::new().target("openai", upstream, &["m"]).policy(POLICY).admin().write();
    let keys: Vec<_> = all.iter().map(|whom| whom.key(&home)).collect();
    let (officer, gateway) = (home.key("eve", "officer"), home.serve());
    for (whom, key) in all.iter().zip(keys) {
        whom.says(&gateway, &key);
    }
    until("all of it to be on record", || readable(&gateway.home, &all).iter().all(|can| *can).then_some(()));
    (gateway, all, officer)
}

/// What must hold after a kill: nobody but `of` has changed since `can`, which says who could be read before; once they are forgotten
/// again, no file holds a seed too many. Whether they could still be read in between.
fn holds_after(home: &Home, all: &[Whom], can: &mut [bool], of: usize) -> bool {
    let now = readable(home, all);
    for (n, (was, is)) in can.iter().zip(&now).enumerate() {
        assert!(was == is || (n == of && *was), "number {n} was {was} and is {is}, after a kill of {of}");
    }
    let _ = home.must(&all[of].command());
    can[of] = false;
    let (found, told) = seeds(home);
    assert_eq!(found, told, "what was destroyed stands in no file");
    now[of]
}

/// The log has a receipt for everyone of whom it has no text, and verifies.
fn has_receipts(home: &Home, all: &[Whom]) {
    let gateway = home.clone().serve();
    until("every note to be on record", || {
        let log = gateway.home.must(&["audit", "show", "--last", "1000"]);
        all.iter().all(|whom| log.contains(&whom.receipt())).then_some(())
    });
    let (_, home) = gateway.stop();
    assert!(readable(&home, all).iter().all(|can| !can), "nobody is back");
    let verified = home.must(&["audit", "verify"]);
    assert!(verified.contains("verified: ") && verified.contains("of somebody who was forgotten"), "{verified}");
}

#[test]
fn a_command_that_forgets_may_be_killed_at_any_step() {
    let upstream = upstream();
    let (gateway, all, _) = told(&upstream, 18);
    let (_, home) = gateway.stop();
    let mut can = vec![true; all.len()];
    // Each of the three kinds, after so many changes: opening the store makes the first ones.
    for (n, times) in [0, 2, 4, 5, 6, 7].into_iter().flat_map(|times| [times; 3]).enumerate() {
        let killed = killed(&home, &all[n], times);
        let still = holds_after(&home, &all, &mut can, n);
        assert!(killed || !still, "number {n} was to be forgotten");
    }
    has_receipts(&home, &all);
}

#[test]
fn a_gateway_that_forgets_may_be_killed_at_any_step() {
    let upstream = upstream();
    let (mut gateway, all, officer) = told(&upstream, 6);
    let mut can = vec![true; all.len()];
    let bearer = format!("Bearer {officer}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for (n, whom) in all.iter().enumerate() {
        let mut client = gateway.client();
        client.send(request("POST", "/admin/v1/forget", &headers, whom.body().to_string().as_bytes())).expect("sent");
        let answered = AtomicBool::new(false);
        let home = thread::scope(|scope| {
            scope.spawn(|| {
                // Killed, it is cut off.
                let _ = client.answer();
                answered.store(true, Ordering::Release);
            });
            changed(&gateway.home, n, || answered.load(Ordering::Acquire));
            gateway.kill()
        });
        holds_after(&home, &all, &mut can, n);
        gateway = home.serve();
    }
    let (_, home) = gateway.stop();
    has_receipts(&home, &all);
}
