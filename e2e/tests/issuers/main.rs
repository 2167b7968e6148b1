//! Access tokens of real identity providers at the running gateway: three shapes at once, what is refused, keys that change, issuers
//! that fail, and streams that end with the token they were asked for with.

mod directory;
mod exchange;
mod logout;
mod opaque;
mod people;
mod proofs;
mod server;
mod workloads;

use std::{fs, path::Path, thread, time::Duration};

use countersign_testkit::{
    Answer, Deployment, Gate, Plan, Reply, Upstream, chat_answer, chat_ask, chunked, event_stream, request, until,
};
use serde_json::json;

use server::{CLIENT, GATEWAY, Issuers, RESOURCE};

const CHAT: &str = "/v1/chat/completions";

fn upstream() -> Upstream {
    Upstream::start(|_asked| Reply::json(200, &chat_answer("hello")))
}

fn ask(gateway: &Deployment, token: &str) -> Answer {
    gateway.post(CHAT, token, &chat_ask("hi"))
}

/// Asks until the answer has this status: keys are fetched in the background.
fn ask_until(gateway: &Deployment, token: &str, status: u16) -> Answer {
    until(&format!("an answer of status {status}"), || {
        let answer = ask(gateway, token);
        if answer.status == status {
            return Some(answer);
        }
        // Whoever is refused too often in a minute is told that instead.
        thread::sleep(Duration::from_millis(250));
        None
    })
}

fn judge(answer: &Answer, status: u16, code: &str, challenge: Option<&str>, what: &str) {
    assert_eq!((answer.status, answer.code().as_deref()), (status, Some(code)), "{what}: {}", answer.text());
    let read_on = "resource_metadata=\"https://gateway.example/.well-known/oauth-protected-resource\"";
    let challenge = challenge.map(|error| format!("Bearer realm=\"countersign\", {error}{read_on}"));
    assert_eq!(answer.header("www-authenticate"), challenge.as_deref(), "{what}");
}

const INVALID: Option<&str> = Some("error=\"invalid_token\", ");
const SCOPES: &str = "scopes = { \"gateway.use\" = \"staff\" }";

#[test]
fn tokens_of_three_providers_pass_and_give_the_roles_that_are_mapped() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let home = Plan::new()
        .target("openai", &upstream, &["m"])
        .telemetry("level = \"trace\"")
        .top(RESOURCE)
        .more(&issuers.section("plain", SCOPES))
        .more(&issuers.section("entra", "tenant = \"bank\"\nroles = { \"Gateway.User\" = \"staff\" }"))
        .more(&issuers.section("okta", "groups = { \"Gateway users\" = \"staff\" }"))
        .write();
    let (key, observer) = (home.key("alice", "staff"), home.key("olga", "observer"));
    let gateway = home.serve();
    let tokens = [
        issuers.token("plain", "gateway.use", GATEWAY),
        issuers.token("entra", "gateway.use", GATEWAY),
        issuers.token("okta", "gateway.use group", GATEWAY),
    ];
    for token in &tokens {
        ask_until(&gateway, token, 200);
    }
    assert_eq!(ask(&gateway, &key).status, 200, "keys are what they were");
    // A role that nothing maps is none, and the token is told to be too little.
    for (name, scope) in [("plain", "short"), ("okta", "gateway.use")] {
        let refused = ask(&gateway, &issuers.token(name, scope, GATEWAY));
        judge(&refused, 403, "CS0301", Some("error=\"insufficient_scope\", "), name);
    }
    let stranger = gateway.exchange(&request("POST", CHAT, &[("content-type", "application/json")], b"{}"));
    judge(&stranger, 401, "CS0201", Some(""), "nothing was presented");

    let said = gateway.exchange(&request("GET", "/.well-known/oauth-protected-resource", &[], b""));
    let urls = ["plain", "entra", "okta"].map(|name| issuers.url(name));
    assert_eq!(said.status, 200);
    assert_eq!(
        said.json(),
        json!({
            "resource": GATEWAY, "authorization_servers": urls, "bearer_methods_supported": ["header"],
            "tls_client_certificate_bound_access_tokens": true,
            "dpop_signing_alg_values_supported": ["ES256", "ES384", "EdDSA", "PS256", "RS256"],
        })
    );

    let metrics = gateway.get("/metrics", &observer).text();
    for name in ["plain", "entra", "okta"] {
        for line in [
            "issuer_keys{issuer=\"NAME\"} 1",
            "issuer_usable{issuer=\"NAME\"} 1",
            "issuer_fetches_total{issuer=\"NAME\",outcome=\"ok\"} ",
        ] {
            let line = format!("countersign_{}", line.replace("NAME", name));
            assert!(metrics.contains(&line), "{line}: {metrics}");
        }
    }
    let doctor = gateway.home.run(&["doctor"]);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("`entra` can be reached; 1 keys are accepted"), "{doctor}");
    assert!(doctor.contains("/.well-known/oauth-protected-resource answer without identity"), "{doctor}");

    // On record is who it was and which token, and nowhere any token or a part of its signature.
    let log = gateway.home.must(&["audit", "export"]);
    assert!(log.contains(&format!("token:plain/{CLIENT}#")) && log.contains("token:okta/"), "{log}");
    assert!(log.contains("\"tenant\":\"bank\"") || log.contains("\"tenant\": \"bank\""), "{log}");
    let said = [gateway.log(), metrics, doctor, log].concat();
    let home = gateway.kill();
    let mut bytes = said.into_bytes();
    gather(&home.path("state"), &mut bytes);
    let hay = String::from_utf8_lossy(&bytes);
    for token in &tokens {
        for part in token.split('.').skip(1) {
            for piece in part.as_bytes().chunks(24).filter(|piece| piece.len() == 24) {
                let piece = String::from_utf8_lossy(piece);
                assert!(!hay.contains(&*piece), "a part of a token was kept: {piece}");
            }
        }
    }
}

/// The bytes of every file below a directory.
fn gather(folder: &Path, into: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, into);
        } else {
            into.extend(fs::read(path).expect("a file"));
        }
    }
}

#[test]
fn tokens_that_are_not_good_for_this_gateway_are_refused() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let gateway = Plan::new()
        .target("openai", &upstream, &["m"])
        .top(RESOURCE)
        .more(&issuers.section("plain", SCOPES))
        .more(&issuers.section("okta", SCOPES))
        .serve();
    let good = issuers.token("plain", "gateway.use", GATEWAY);
    ask_until(&gateway, &good, 200);
    ask_until(&gateway, &issuers.token("okta", "gateway.use", GATEWAY), 200);
    let asked = upstream.seen().len();

    let parts: Vec<&str> = good.split('.').collect();
    let [head, claims, signature] = parts[..] else { panic!("a token has three parts") };
    let none = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","typ":"at+jwt","kid":"plain-1"}"#);
    let said = |name: &str, what| issuers.tell(name, what)["token"].as_str().expect("a token").to_owned();
    let okta = issuers.token("okta", "gateway.use", GATEWAY);
    let theirs = okta.rsplit('.').next().expect("a signature");
    for (what, token) in [
        ("another audience", issuers.token("plain", "gateway.use", "https://other.example")),
        ("a key that is nobody's", said("plain", json!({"forge": true}))),
        ("another issuer's signature", format!("{head}.{claims}.{theirs}")),
        ("an ID token", said("plain", json!({"idToken": true}))),
        ("an ID token of Okta's shape", said("okta", json!({"idToken": true}))),
        ("an issuer that is not configured", issuers.token("entra", "gateway.use", GATEWAY)),
        (
            "an opaque token that nobody is asked about",
            issuers.token("plain", "gateway.use", &format!("{GATEWAY}/opaque")),
        ),
        ("no algorithm", format!("{none}.{claims}.{signature}")),
        ("no algorithm and no signature", format!("{none}.{claims}.")),
        ("no signature", format!("{head}.{claims}.")),
        ("half a signature", format!("{head}.{claims}.{}", &signature[..signature.len() / 2])),
        ("another header", format!("{none}.{claims}.{signature}")),
    ] {
        judge(&ask(&gateway, &token), 401, "CS0202", INVALID, what);
    }
    let short = issuers.token("plain", "gateway.use short", GATEWAY);
    judge(&ask_until(&gateway, &short, 401), 401, "CS0203", INVALID, "a token that has expired");
    // In the header that is meant for keys, a token is none.
    let headers = [("x-api-key", &*good), ("content-type", "application/json")];
    let misplaced = gateway.exchange(&request("POST", CHAT, &headers, chat_ask("hi").to_string().as_bytes()));
    judge(&misplaced, 401, "CS0202", INVALID, "a token in x-api-key");
    let passed = upstream.seen().len() - asked;
    assert_eq!(ask(&gateway, &good).status, 200);
    assert!(upstream.seen().len() - asked - passed == 1, "what was refused did not leave");
}

#[test]
fn changed_keys_are_followed_and_withdrawn_ones_forgotten() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let gateway = Plan::new()
        .target("openai", &upstream, &["m"])
        .top(RESOURCE)
        // Nothing but the unknown key makes it ask again.
        .more(&issuers.section("plain", &format!("{SCOPES}\nrefresh_seconds = 3600\nstale_seconds = 7200")))
        .serve();
    let old = issuers.token("plain", "gateway.use", GATEWAY);
    ask_until(&gateway, &old, 200);
    let _ = issuers.tell("plain", json!({"rotate": true}));
    let new = issuers.token("plain", "gateway.use", GATEWAY);
    ask_until(&gateway, &new, 200);
    judge(&ask_until(&gateway, &old, 401), 401, "CS0202", INVALID, "a key that was withdrawn");
    // Strangers who name keys that do not exist do not make it ask again and again.
    let asked = issuers.asked("plain");
    for _ in 0..30 {
        let named = ask(&gateway, &old);
        assert!(named.status == 401 || named.status == 503, "{}", named.text());
    }
    assert!(issuers.asked("plain") - asked <= 6, "a fetch takes two, and there is a pause after each");
    ask_until(&gateway, &new, 200);
}

#[test]
fn an_issuer_that_fails_is_trusted_for_a_while_and_then_not() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let home = Plan::new()
        .target("openai", &upstream, &["m"])
        .top(RESOURCE)
        .more(&issuers.section("plain", &format!("{SCOPES}\nrefresh_seconds = 1\nstale_seconds = 86400")))
        .more(&issuers.section("okta", &format!("{SCOPES}\nrefresh_seconds = 1\nstale_seconds = 5")))
        .write();
    let (key, observer) = (home.key("alice", "staff"), home.key("olga", "observer"));
    let gateway = home.serve();
    let plain = issuers.token("plain", "gateway.use", GATEWAY);
    let okta = issuers.token("okta", "gateway.use", GATEWAY);
    ask_until(&gateway, &plain, 200);
    ask_until(&gateway, &okta, 200);

    // Whatever the issuer answers instead, known keys go on and nothing is taken over.
    for mode in ["junk", "page", "moved", "down", "slow"] {
        let asked = issuers.asked("plain");
        let _ = issuers.tell("plain", json!({"mode": mode}));
        until(&format!("a fetch while the issuer is {mode}"), || (issuers.asked("plain") > asked).then_some(()));
        assert_eq!(ask(&gateway, &plain).status, 200, "{mode}");
        let asked = issuers.asked("plain");
        let _ = issuers.tell("plain", json!({"mode": "up"}));
        // Metadata and keys; the pause between fetches grows only while they fail.
        until("a fetch that works", || (issuers.asked("plain") >= asked + 2).then_some(()));
    }

    let _ = issuers.tell("okta", json!({"mode": "down"}));
    let refused = ask_until(&gateway, &okta, 503);
    judge(&refused, 503, "CS0205", None, "keys that are too old");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(gateway.exchange(&request("GET", "/readyz", &[], b"")).status, 200, "the gateway is ready all the same");
    assert_eq!(ask(&gateway, &key).status, 200, "keys do not depend on issuers");
    assert_eq!(ask(&gateway, &plain).status, 200, "nor do other issuers' tokens");
    let metrics = gateway.get("/metrics", &observer).text();
    assert!(metrics.contains("countersign_issuer_usable{issuer=\"okta\"} 0"), "{metrics}");
    assert!(
        metrics.contains("outcome=\"unconfirmed-credential\"") && metrics.contains("outcome=\"failed\""),
        "{metrics}"
    );
    let doctor = String::from_utf8_lossy(&gateway.home.run(&["doctor"]).stdout).into_owned();
    assert!(doctor.contains("the keys of `okta` cannot be fetched"), "{doctor}");

    let _ = issuers.tell("okta", json!({"mode": "up"}));
    ask_until(&gateway, &okta, 200);
}

/// A gateway whose provider begins to answer and then pauses.
fn pausing(plan: Plan, section: &str) -> (Deployment, Gate) {
    let (begun, never) = (Gate::new(), Gate::new());
    let gates = (begun.clone(), never.clone());
    let upstream = Upstream::start(move |_asked| {
        let data = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                          "choices": [{"index": 0, "delta": {"content": "One ordinary sentence after another. ".repeat(40)}, "finish_reason": null}]});
        Reply::raw(event_stream())
            .send(chunked(format!("data: {data}\n\n").as_bytes()))
            .open(&gates.0)
            .until_gone(&gates.1)
    });
    let fields = format!(
        "name = \"openai\"\nspeaks = \"openai\"\nurl = {:?}\nmodels = [\"m\"]\nidle_seconds = 60",
        upstream.url()
    );
    (plan.target_as(&fields).top(RESOURCE).more(section).serve(), begun)
}

/// Begins a stream; what of it was said before the cut is read by [`Client::rest_of_stream`].
fn stream(gateway: &Deployment, token: &str) -> countersign_testkit::Client {
    let mut body = chat_ask("go on");
    body["stream"] = true.into();
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let mut client = gateway.client();
    client.send(request("POST", CHAT, &headers, body.to_string().as_bytes())).expect("the gateway reads");
    client
}

#[test]
fn a_stream_ends_with_its_token() {
    let Some(issuers) = Issuers::start() else { return };
    let (gateway, begun) = pausing(Plan::new(), &issuers.section("plain", SCOPES));
    let first = issuers.token("plain", "gateway.use", GATEWAY);
    // Keys are there once a token passes; models are listed without the provider.
    until("keys", || (gateway.get("/v1/models", &first).status == 200).then_some(()));
    let mut client = stream(&gateway, &issuers.token("plain", "gateway.use short", GATEWAY));
    assert!(begun.wait());
    let seen = client.until("ordinary");
    assert!(seen.starts_with("HTTP/1.1 200") && !seen.contains("CS0"), "{seen}");
    let rest = String::from_utf8_lossy(&client.rest_of_stream()).into_owned();
    assert!(rest.contains("CS0204") && !rest.contains("[DONE]"), "{rest}");
}

#[test]
fn a_stream_ends_when_a_reload_takes_its_issuer_away() {
    let Some(issuers) = Issuers::start() else { return };
    let (gateway, begun) = pausing(Plan::new(), &issuers.section("plain", SCOPES));
    let token = issuers.token("plain", "gateway.use", GATEWAY);
    until("keys", || (gateway.get("/v1/models", &token).status == 200).then_some(()));
    let mut client = stream(&gateway, &token);
    assert!(begun.wait());
    let seen = client.until("ordinary");
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    // A reload that leaves the issuer as it is leaves its keys, tokens and streams.
    let asked = issuers.asked("plain");
    gateway.hangup();
    let _ = gateway.logged("\"message\":\"reloaded\"");
    assert_eq!(gateway.get("/v1/models", &token).status, 200);
    assert_eq!(issuers.asked("plain"), asked, "keys are not fetched again");

    let config = gateway.home.read("countersign.toml");
    let (before, rest) = config.split_once("[[issuer]]").expect("an issuer");
    let (_, after) = rest.split_once("# end of plain").expect("its end");
    gateway.home.put("countersign.toml", format!("{}{after}", before.replace(RESOURCE, "")));
    gateway.hangup();
    let rest = String::from_utf8_lossy(&client.rest_of_stream()).into_owned();
    assert!(rest.contains("CS0204") && !rest.contains("[DONE]"), "{rest}");
    judge_plain(&ask(&gateway, &token));
    let gone = gateway.exchange(&request("GET", "/.well-known/oauth-protected-resource", &[], b""));
    assert_eq!(
        (gone.status, gone.code().as_deref()),
        (401, Some("CS0201")),
        "there is nothing without identity any more"
    );
}

/// Refused, and with nowhere to read on.
fn judge_plain(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_deref()), (401, Some("CS0202")), "{}", answer.text());
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"countersign\", error=\"invalid_token\""));
}
