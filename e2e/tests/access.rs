//! Just-in-time access with the real binary: asked for by command line, approved by another, used over mTLS, over when its case is; and
//! kill -9 between and within its steps, after which no credential is alive that is not on record.

use std::{collections::BTreeSet, process::Command, sync::mpsc, thread, time::Duration};

use countersign_testkit::{Answer, ClientCertificate, Deployment, Home, Plan, Upstream, chat_ask, request};
use serde_json::{Value, json};

const POLICY: &str = r#"
@id("responders") permit (principal in Countersign::Role::"responder", action, resource) when { context has grant };
@id("staff") permit (
    principal in Countersign::Role::"staff",
    action in [
        Countersign::Action::"requestAccess", Countersign::Action::"openSession", Countersign::Action::"breakGlass",
        Countersign::Action::"listRequests", Countersign::Action::"approveRequest", Countersign::Action::"endGrant",
        Countersign::Action::"reviewAccess", Countersign::Action::"reportUnused"
    ],
    resource
);
"#;

const MORE: &str = r#"
[[access]]
name = "incident"
roles = ["responder"]
for = ["model:m"]
longest_minutes = 30
approvers = ["lead"]
break_glass = ["staff"]
[[certificate]]
common_name = "ann"
kind = "person"
roles = ["staff"]
"#;

/// Ann, who has a client certificate.
struct Ann(ClientCertificate);

impl Ann {
    fn new() -> Self {
        Self(ClientCertificate::of("ann"))
    }

    fn plan(&self, upstream: &Upstream) -> Plan {
        Plan::new()
            .target("openai", upstream, &["m"])
            .policy(POLICY)
            .client_ca(&self.0.authority)
            .top("resource = \"https://ai.bank.example\"\n")
            .more(MORE)
            .admin()
    }

    /// One request over mTLS; none when the gateway is gone.
    fn ask(&self, gateway: &Deployment, bytes: &[u8]) -> Option<Answer> {
        let mut client = self.0.connect(gateway).ok()?;
        client.send(bytes).ok()?;
        client.answer().ok()?
    }

    fn post(&self, gateway: &Deployment, path: &str, body: &Value) -> Option<(u16, Value)> {
        let headers = [("content-type", "application/json")];
        let (headers, body) = if body.is_null() { (&[][..], String::new()) } else { (&headers[..], body.to_string()) };
        said(self.ask(gateway, &request("POST", path, headers, body.as_bytes()))?)
    }

    /// Opens a session: its credential.
    fn open(&self, gateway: &Deployment, case: &str) -> Option<(u16, Value)> {
        let grant = "urn:ietf:params:oauth:grant-type:token-exchange";
        let body = format!("grant_type={grant}&scope={case}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        said(self.ask(gateway, &request("POST", "/oauth/token", &headers, body.as_bytes()))?)
    }
}

fn said(answer: Answer) -> Option<(u16, Value)> {
    Some((answer.status, serde_json::from_str(&answer.text()).unwrap_or_default()))
}

fn chat(session: &str, stream: bool) -> Vec<u8> {
    let mut body = chat_ask("hi");
    body["stream"] = stream.into();
    let bearer = format!("Bearer {session}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    request("POST", "/v1/chat/completions", &headers, body.to_string().as_bytes())
}

fn wish() -> Value {
    json!({"access": "incident", "for": ["model:m"], "purpose": "ticket 7", "minutes": 30})
}

/// Kills it where it stands, while others still talk to it.
fn kill(gateway: &Deployment) {
    let killed = Command::new("kill").args(["-9", &gateway.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
}

/// Every session that the store holds, read by another program's reader.
fn alive(home: &Home) -> BTreeSet<String> {
    let read = "import sqlite3, sys\nfor (id,) in sqlite3.connect(sys.argv[1]).execute('SELECT id FROM access_session'): print(id)";
    let output = Command::new("python3").args(["-c", read]).arg(home.path("state/countersign.db")).output();
    let output = output.expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Runs `countersign access` as whoever the credential is of.
fn access(gateway: &Deployment, credential: &str, arguments: &[&str]) -> (bool, String) {
    let address = format!("http://{}", gateway.clear);
    let mut command = gateway.home.command(&["access"]);
    command.args(arguments).args(["--gateway", &address]).env("COUNTERSIGN_CREDENTIAL", credential);
    let output = command.output().expect("the binary runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn access_is_asked_for_approved_used_and_over() {
    let (ann, upstream) = (Ann::new(), Upstream::silent());
    let home = ann.plan(&upstream).write();
    let (bob, joe) = (home.key_of("person", "bob", &["staff", "lead"]), home.key_of("person", "joe", &["staff"]));
    let gateway = home.serve();

    let (_, case) = ann.post(&gateway, "/admin/v1/access", &wish()).unwrap();
    let id = case["id"].as_str().unwrap();
    assert_eq!(ann.open(&gateway, id).unwrap().1["error"], "invalid_grant", "before anybody has approved");
    assert!(access(&gateway, &bob, &["list"]).1.contains("pending"));
    let (done, told) = access(&gateway, &joe, &["approve", id]);
    assert!(!done && told.contains("CS0807"), "{told}");
    let (done, told) = access(&gateway, &bob, &["approve", id, "--note", "seen"]);
    assert!(done && told.contains("granted"), "{told}");

    let (status, token) = ann.open(&gateway, id).unwrap();
    assert_eq!((status, &token["token_type"]), (200, &json!("Bearer")), "{token}");
    let session = token["access_token"].as_str().unwrap();
    assert_eq!(ann.ask(&gateway, &chat(session, false)).unwrap().status, 200);
    // Without the certificate it is worth nothing, and the certificate without it has no such role.
    assert_eq!(gateway.exchange(&chat(session, false)).status, 401);
    let bare = [("content-type", "application/json")];
    let bare = request("POST", "/v1/chat/completions", &bare, chat_ask("hi").to_string().as_bytes());
    assert_eq!(ann.ask(&gateway, &bare).unwrap().status, 403);

    let mut streaming = ann.0.connect(&gateway).unwrap();
    streaming.send(chat(session, true)).unwrap();
    let _ = streaming.until("ordinary sentence");
    let (done, told) = access(&gateway, &bob, &["end", id]);
    assert!(done && told.contains("ended"), "{told}");
    let rest = String::from_utf8_lossy(&streaming.rest_of_stream()).into_owned();
    assert!(rest.contains("CS0204") && !rest.contains("[DONE]"), "{rest}");
    assert_eq!(ann.ask(&gateway, &chat(session, false)).unwrap().status, 401);
    assert_eq!(ann.open(&gateway, id).unwrap().1["error"], "invalid_grant");

    // One way to do without approval, once, until somebody else has looked.
    let taken = access(
        &gateway,
        &joe,
        &["break-glass", "incident", "--for", "model:m", "--purpose", "fire", "--minutes", "20"],
    );
    assert!(taken.0 && taken.1.contains("to be reviewed"), "{}", taken.1);
    let again = access(
        &gateway,
        &joe,
        &["break-glass", "incident", "--for", "model:m", "--purpose", "fire", "--minutes", "20"],
    );
    assert!(!again.0 && again.1.contains("CS0807"), "{}", again.1);
    let broken = taken.1.split(' ').next().unwrap();
    assert!(access(&gateway, &bob, &["review", broken, "--justified"]).0);
    assert!(gateway.log().contains("access was taken without approval"));

    let (done, told) = access(&gateway, &bob, &["unused"]);
    assert!(done && told.contains(broken) && !told.contains(id), "{told}");
    let (done, told) = access(&gateway, "csk_nonsense", &["list"]);
    assert!(!done && told.contains("CS0202"), "{told}");
    assert!(!gateway.log().contains(&session[4..]));

    let (_, home) = gateway.stop();
    let records = home.must(&["audit", "export"]);
    assert!(records.contains("openSession") && !records.contains(&session[4..]));
}

#[test]
fn kill_minus_nine_leaves_no_credential_alive_that_is_not_on_record() {
    let (ann, upstream) = (Ann::new(), Upstream::silent());
    let mut home = ann.plan(&upstream).write();
    let bob = home.key_of("person", "bob", &["staff", "lead"]);
    let mut sessions: Vec<String> = Vec::new();
    let mut dice = 0x5eed_u64;
    for life in 0..LIVES {
        let gateway = home.serve();
        // What had been answered before holds still, and nothing else does.
        for session in &sessions {
            assert_eq!(ann.ask(&gateway, &chat(session, false)).map(|a| a.status), Some(200), "life {life}");
        }
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (steps, moment) = (life % 4, Duration::from_micros((dice >> 33) % 20_000));
        home = thread::scope(|scope| {
            let (step, done) = mpsc::channel();
            let opening = scope.spawn(|| through(&ann, &gateway, &bob, step));
            for _ in 0..steps {
                done.recv().expect("a step is answered while the gateway lives");
            }
            // Not to wait for something: to be killed somewhere within the next step.
            thread::sleep(moment);
            let home = gateway.home.clone();
            kill(&gateway);
            // Whoever finds nobody listening has no answer either.
            sessions.extend(opening.join().unwrap_or_default());
            home
        });
        drop(gateway);
    }
    let (status, home) = home.serve().stop();
    assert!(status.success());
    assert!(home.must(&["audit", "verify"]).contains("record"));
    let of = |action: &str| -> BTreeSet<String> {
        let text = home.must(&["audit", "export"]);
        let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let changed = records.filter_map(|r| {
            find(&r, "action").filter(|a| *a == action).and_then(|_| find(&r, "what").map(str::to_owned))
        });
        changed.collect()
    };
    let opened = of("openSession");
    let alive = alive(&home);
    assert!(alive.len() >= sessions.len(), "{} alive, {} answered", alive.len(), sessions.len());
    assert!(alive.is_subset(&opened), "alive and not on record: {:?}", alive.difference(&opened));
    // Every fourth life went the whole way, and as many were granted all the same.
    let whole = LIVES / 4;
    assert!(sessions.len() >= whole, "{} answered", sessions.len());
    assert!(of("approveRequest").len() >= 2 * whole);
}

/// The whole way from asking to a session, as far as it goes; tells of each step once it is answered.
fn through(ann: &Ann, gateway: &Deployment, bob: &str, step: mpsc::Sender<()>) -> Option<String> {
    let (_, case) = ann.post(gateway, "/admin/v1/access", &wish())?;
    let id = case["id"].as_str()?;
    step.send(()).ok()?;
    let bearer = format!("Bearer {bob}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut client = ann.0.connect(gateway).ok()?;
    client.send(request("POST", &format!("/admin/v1/access/{id}/approve"), &headers, b"{}")).ok()?;
    client.answer().ok()??;
    step.send(()).ok()?;
    let (_, token) = ann.open(gateway, id)?;
    let session = token["access_token"].as_str().map(str::to_owned);
    step.send(()).ok()?;
    session
}

/// A member of a record, wherever it stands.
fn find<'a>(of: &'a Value, name: &str) -> Option<&'a str> {
    match of {
        Value::Object(members) => {
            members.get(name).and_then(Value::as_str).or_else(|| members.values().find_map(|inner| find(inner, name)))
        }
        _ => None,
    }
}

const LIVES: usize = 30;
