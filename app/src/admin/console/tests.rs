use countersign_audit::record::Record;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::admin::tests::{World, posting};

/// A request of the console's own pages.
fn page(method: &str, path: &str, cookie: &str, site: &str) -> Request<String> {
    let request = Request::builder().method(method).uri(path).header("cookie", format!("a=b; {cookie}"));
    let request = if site.is_empty() { request } else { request.header("sec-fetch-site", site) };
    request.body(String::new()).unwrap()
}

fn signing_in(body: &Value, site: &str) -> Request<String> {
    let mut request = posting("/console/session", "x", body);
    request.headers_mut().remove("authorization");
    if !site.is_empty() {
        request.headers_mut().insert("sec-fetch-site", site.parse().unwrap());
    }
    request
}

async fn signed_in(world: &World, body: &Value) -> String {
    let (status, headers, me) = world.ask(signing_in(body, "same-origin")).await;
    assert_eq!((status, &me["subject"]), (StatusCode::OK, &json!("root")), "{me}");
    let set = headers["set-cookie"].to_str().unwrap();
    assert!(set.starts_with("__Host-countersign=csb_") && headers["cache-control"] == "no-store");
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Max-Age="] {
        assert!(set.contains(part), "{set} lacks {part}");
    }
    assert!(!set.contains("Domain"));
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_cookie_is_worth_its_key_at_the_admin_api_and_nothing_elsewhere() {
    let world = World::new("").await;
    let cookie = signed_in(&world, &json!({"credential": world.root})).await;
    let (status, _, me) = world.ask(page("GET", "/admin/v1/console/me", &cookie, "same-origin")).await;
    assert!(status == StatusCode::OK && me["may"].as_array().unwrap().contains(&json!("readTraffic")), "{me}");
    for path in ["/v1/models", "/metrics", "/scim/v2/Users", "/ssf/streams"] {
        let (status, ..) = world.ask(page("GET", path, &cookie, "same-origin")).await;
        assert!(
            matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND),
            "{path}: {status}"
        );
    }
    let (status, _, value) = world.ask(page("POST", "/oauth/token", &cookie, "same-origin")).await;
    assert!(status == StatusCode::FORBIDDEN || status == StatusCode::BAD_REQUEST, "{value}");
    // With a key beside it nobody could say who asks.
    let mut both = page("GET", "/admin/v1/console/me", &cookie, "same-origin");
    both.headers_mut().insert("authorization", format!("Bearer {}", world.root).parse().unwrap());
    assert_eq!(world.ask(both).await.0, StatusCode::UNAUTHORIZED);

    let records = world.records().await;
    let opened = records.iter().find_map(|r| if let Record::Changed(c) = r { Some(c) } else { None }).unwrap();
    assert_eq!((&*opened.action, &*opened.who.subject), ("openConsole", "root"));
    let text = serde_json::to_string(&records).unwrap();
    assert!(!text.contains("csb_") && !text.contains(&world.root), "no credential is on record");
}

#[tokio::test]
async fn only_the_consoles_own_pages_ask_with_its_cookie() {
    let world = World::new("").await;
    let cookie = signed_in(&world, &json!({"credential": world.root})).await;
    for site in ["", "cross-site", "same-site", "none", "same-origin, cross-site"] {
        for (method, path) in
            [("GET", "/admin/v1/traffic"), ("POST", "/admin/v1/console/leave"), ("GET", "/admin/v1/traffic/live")]
        {
            let (status, _, value) = world.ask(page(method, path, &cookie, site)).await;
            assert!(status == StatusCode::FORBIDDEN && value.to_string().contains("CS0806"), "{site} {path}: {value}");
        }
        let (status, _, value) = world.ask(signing_in(&json!({"credential": world.root}), site)).await;
        assert!(
            status == StatusCode::FORBIDDEN && value.to_string().contains("CS0806"),
            "nobody is signed in from elsewhere"
        );
    }
    let mut twice = page("GET", "/admin/v1/traffic", &cookie, "same-origin");
    twice.headers_mut().append("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(world.ask(twice).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_session_ends_when_its_key_does_and_when_its_owner_leaves() {
    let world = World::new("").await;
    let one = signed_in(&world, &json!({"credential": world.root})).await;
    let other = signed_in(&world, &json!({"credential": world.root})).await;
    let (status, headers, _) = world.ask(page("POST", "/admin/v1/console/leave", &one, "same-origin")).await;
    assert!(status == StatusCode::NO_CONTENT && headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(world.ask(page("GET", "/admin/v1/console/me", &one, "same-origin")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(world.ask(page("GET", "/admin/v1/console/me", &other, "same-origin")).await.0, StatusCode::OK);
    let (status, _) =
        world.post("/admin/v1/revocations", json!({"target": "role:root", "reason": "gone", "block": true})).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, _, value) = world.ask(page("GET", "/admin/v1/console/me", &other, "same-origin")).await;
    assert!(status == StatusCode::UNAUTHORIZED && value.to_string().contains("CS0204"), "{value}");
}

#[tokio::test]
async fn a_link_signs_in_once_as_whoever_made_it() {
    let world = World::new("").await;
    let (status, made) = world.post("/admin/v1/console/links", Value::Null).await;
    assert_eq!((status, &made["expires_in"]), (StatusCode::CREATED, &json!(60)));
    let link = json!({"link": made["link"]});
    let cookie = signed_in(&world, &link).await;
    assert_eq!(world.ask(page("GET", "/admin/v1/console/me", &cookie, "same-origin")).await.0, StatusCode::OK);
    assert_eq!(world.ask(signing_in(&link, "same-origin")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn whoever_may_not_is_not_signed_in() {
    let world = World::new("").await;
    let (status, headers, value) = world.ask(signing_in(&json!({"credential": world.clerk}), "same-origin")).await;
    assert!(status == StatusCode::FORBIDDEN && !headers.contains_key("set-cookie"), "{value}");
    for bad in [json!({}), json!({"credential": "a", "link": "b"}), json!({"credential": 1}), json!([])] {
        assert_eq!(world.ask(signing_in(&bad, "same-origin")).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    for nobody in ["csk_x", "", "csb_x", "a.b.c", "\u{0}", "Bearer x\r\nx: y"] {
        let (status, headers, _) = world.ask(signing_in(&json!({"credential": nobody}), "same-origin")).await;
        assert!(status == StatusCode::UNAUTHORIZED && !headers.contains_key("set-cookie"), "{nobody:?}: {status}");
    }
}

#[tokio::test]
async fn where_no_provider_is_named_nobody_is_sent_to_one() {
    let world = World::new("").await;
    let of = |method: &str, path: &str, site: &str| {
        let request = Request::builder().method(method).uri(path).header("sec-fetch-site", site);
        request.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document").body(String::new()).unwrap()
    };
    let (status, _, ways) = world.ask(of("GET", "/console/session", "same-origin")).await;
    assert_eq!((status, ways), (StatusCode::OK, json!({})));
    assert_eq!(world.ask(of("GET", "/console/session", "cross-site")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(world.ask(of("POST", "/console/sign-in", "same-origin")).await.0, StatusCode::NOT_FOUND);
    let (status, headers, page) = world.ask(of("GET", "/console/back?code=a&state=b", "cross-site")).await;
    assert_eq!((status, headers["content-type"].as_bytes()), (StatusCode::NOT_FOUND, &b"text/html; charset=utf-8"[..]));
    assert!(page.as_str().unwrap().contains("CS0801") && !headers.contains_key("set-cookie"), "{page}");
}

#[tokio::test]
async fn pages_are_for_everybody_on_this_listener_and_protect_themselves() {
    let world = World::new("").await;
    let (status, headers, text) = world.ask(Request::get("/console/").body(String::new()).unwrap()).await;
    assert!(status == StatusCode::OK && text.as_str().unwrap().starts_with("<!doctype html>"));
    let policy = headers["content-security-policy"].to_str().unwrap();
    for part in
        ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"));
    assert_eq!(
        (headers["x-content-type-options"].as_bytes(), headers["x-frame-options"].as_bytes()),
        (&b"nosniff"[..], &b"DENY"[..])
    );
    for none in ["/console/x.js", "/console/../app.js", "/console/%61pp.js", "/consolex"] {
        let (status, ..) = world.ask(Request::get(none).body(String::new()).unwrap()).await;
        assert!(matches!(status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND), "{none}: {status}");
    }
    let (status, ..) = world.ask(Request::post("/console/").body(String::new()).unwrap()).await;
    assert_ne!(status, StatusCode::OK);
}
