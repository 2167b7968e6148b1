//! People who sign in to the console at a certified provider: in a real browser, and with answers that are not to their question.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use countersign_testkit::{Answer, Browser, Deployment, Plan, request, until};
use serde_json::json;

use super::upstream;
use crate::server::{GATEWAY, Issuers, RESOURCE};

const POLICY: &str = r#"
@id("officers") permit (
    principal in Countersign::Role::"officer",
    action in [Countersign::Action::"openConsole", Countersign::Action::"observe", Countersign::Action::"readTraffic"],
    resource
);
"#;
/// Where the console is said to be before its ports are known.
const NOWHERE: &str = "https://console.example";
const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");
const GOES: [(&str, &str); 3] =
    [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];

fn serve(issuers: &Issuers) -> Deployment {
    let upstream = upstream();
    let console = format!(
        "[console.sign_in]\nissuer = \"plain\"\naddress = {NOWHERE:?}\nclient_id = \"console\"\nsecret = {{ file = \"secret\" }}\nscopes = [\"openid\", \"gateway.use\"]\nresource = {GATEWAY:?}"
    );
    let home = Plan::new()
        .target("openai", &upstream, &["m"])
        .policy(POLICY)
        .admin()
        .top(RESOURCE)
        .more(&issuers.section("plain", "scopes = { \"gateway.use\" = \"officer\" }"))
        .more(&console)
        .write();
    home.put("secret", "the-secret-of-the-console");
    fs::set_permissions(home.path("secret"), fs::Permissions::from_mode(0o600)).expect("its owner's alone");
    home.serve()
}

/// What the console's own page is told when somebody wants to sign in: where to go, and the cookie.
fn begin(gateway: &Deployment) -> (String, String) {
    let answer = gateway.exchange(&request("POST", "/console/sign-in", &[OWN], b""));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let set = answer.header("set-cookie").expect("a cookie").to_owned();
    for word in ["__Host-countersign-sign-in=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Max-Age=600"]
    {
        assert!(set.contains(word), "{set}");
    }
    let cookie = set.split(';').next().expect("a pair").to_owned();
    (answer.json()["go"].as_str().expect("an address").to_owned(), cookie)
}

/// Signs in at the provider; the path that the browser is then sent to.
fn answered(issuers: &Issuers, go: &str) -> String {
    let back = format!("{NOWHERE}/console/back");
    let said = issuers.tell("plain", json!({"answer": {"go": go, "back": back}}));
    said["answer"].as_str().unwrap_or_else(|| panic!("no answer: {said}")).replace(NOWHERE, "")
}

fn come_back(gateway: &Deployment, path: &str, cookie: &str) -> Answer {
    let headers: Vec<_> = GOES.into_iter().chain([("cookie", cookie)]).filter(|(_, value)| !value.is_empty()).collect();
    gateway.exchange(&request("GET", path, &headers, b""))
}

fn refused(answer: &Answer, status: u16, code: &str, what: &str) {
    let text = answer.text();
    assert!(answer.status == status && text.contains(code) && text.contains("Not signed in"), "{what}: {text}");
    assert!(answer.header("set-cookie").is_none() && answer.header("location").is_none(), "{what}");
}

#[test]
fn only_the_answer_to_a_browsers_own_question_signs_it_in_and_once() {
    let Some(issuers) = Issuers::start() else { return };
    let gateway = serve(&issuers);
    let _ = issuers.tell("plain", json!({ "console": format!("{NOWHERE}/console/back") }));
    // The keys are fetched anew, for the provider has others now.
    let (path, cookie) = until("somebody who is signed in", || {
        let (go, cookie) = begin(&gateway);
        let path = answered(&issuers, &go);
        let answer = come_back(&gateway, &path, &cookie);
        (answer.status == 303).then(|| {
            assert_eq!(answer.header("location"), Some("/console/"), "nobody is sent anywhere else");
            (path, cookie)
        })
    });
    refused(&come_back(&gateway, &path, &cookie), 401, "CS0202", "a code that was used");
    let fresh = || {
        let (go, cookie) = begin(&gateway);
        assert!(go.contains("&code_challenge_method=S256") && go.contains("&nonce="), "{go}");
        (answered(&issuers, &go), cookie)
    };
    let ((one, cookie), (other, others)) = (fresh(), fresh());
    refused(&come_back(&gateway, &one, ""), 401, "CS0202", "no question");
    refused(&come_back(&gateway, &one, &others), 401, "CS0202", "the state of another browser");
    let part = |path: &str, name: &str| {
        let rest = path.split_once(&format!("{name}=")).expect("a parameter").1;
        rest.split('&').next().expect("a value").to_owned()
    };
    let with =
        |name: &str, value: &str| one.replace(&format!("{name}={}", part(&one, name)), &format!("{name}={value}"));
    refused(
        &come_back(&gateway, &with("code", &part(&other, "code")), &cookie),
        401,
        "CS0202",
        "a code of another browser",
    );
    refused(&come_back(&gateway, &with("iss", "https%3A%2F%2Fevil.example"), &cookie), 401, "CS0202", "another issuer");
    let unnamed = one.replace(&format!("&iss={}", part(&one, "iss")), "");
    assert_ne!(unnamed, one);
    refused(&come_back(&gateway, &unnamed, &cookie), 401, "CS0202", "an issuer that does not say so");
    refused(&come_back(&gateway, &format!("{one}&error=access_denied"), &cookie), 401, "CS0202", "an error");
    refused(
        &come_back(&gateway, &format!("{one}&next=https%3A%2F%2Fevil.example"), &cookie),
        400,
        "CS0101",
        "elsewhere",
    );
    // Nothing but a browser that goes there; and no other page has one begin.
    let picture = [("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image"), ("cookie", &*cookie)];
    refused(&gateway.exchange(&request("GET", &one, &picture, b"")), 403, "CS0806", "a picture");
    let elsewhere = gateway.exchange(&request("POST", "/console/sign-in", &[("sec-fetch-site", "cross-site")], b""));
    assert_eq!((elsewhere.status, elsewhere.code().as_deref()), (403, Some("CS0806")));
    // After all that the answer is still good to the browser that asked, for nobody else could use it.
    assert_eq!(come_back(&gateway, &one, &cookie).status, 303);
    let (log, record) = (gateway.log(), gateway.home.must(&["audit", "export"]));
    for secret in [part(&one, "code"), cookie, "the-secret-of-the-console".to_owned()] {
        assert!(!log.contains(&secret) && !record.contains(&secret), "a secret was written down");
    }
    assert!(record.contains("openConsole") && record.contains("plain/u-olga"), "{record}");
}

#[test]
fn a_person_signs_in_at_their_provider_in_a_browser() {
    let (Some(browser), Some(issuers)) =
        (Browser::find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")), Issuers::start())
    else {
        return;
    };
    let gateway = serve(&issuers);
    let address = format!("https://{}", gateway.tls);
    let text = gateway.home.read("countersign.toml");
    gateway.home.put("countersign.toml", text.replace(NOWHERE, &address));
    let _ = issuers.tell("plain", json!({ "console": format!("{address}/console/back") }));
    gateway.hangup();
    let _ = gateway.logged("\"reloaded\"");
    let report = browser.walk("sign-in.mjs", json!({ "tls": address }));
    assert_eq!((&report["broken"], &report["serious"]), (&json!([]), &json!([])), "{report:#}");
    assert_eq!(
        (&report["who"], &report["address"]),
        (&json!("default/plain/u-olga"), &json!("/console/#/live")),
        "{report:#}"
    );
    assert_eq!(report["cookies"], json!(["__Host-countersign Strict"]), "the question's cookie is gone");
}
