use std::fs;

use countersign_audit::{DiskDir, record::Record, show};
use countersign_core::{life::Peer, principal::PrincipalKind};
use countersign_gateway::{AnswerBody, Gateway};
use countersign_identity::key::{self, NewKey};
use countersign_policy::Administer;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{assemble::Assembly, clock, cmd::Problems, config};

/// A gateway that is assembled and not bound, with a key of one who may do everything and one of one who may do nothing.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) assembly: Arc<Assembly>,
    pub(crate) root: String,
    pub(crate) clerk: String,
}

pub(crate) const POLICY: &str = r#"
permit (principal, action in [Countersign::Action::"ask", Countersign::Action::"receive"], resource);
"#;

impl World {
    pub(crate) async fn new(top: &str) -> Self {
        Self::with(top, "").await
    }

    /// With more of a configuration at its top and at its end.
    pub(crate) async fn with(top: &str, more: &str) -> Self {
        Self::under(POLICY, top, more).await
    }

    /// Under a policy of one's own, to which what `root` may do is added.
    pub(crate) async fn under(policy: &str, top: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let actions: Vec<_> =
            Administer::ALL.iter().map(|a| format!("Countersign::Action::\"{}\"", a.as_str())).collect();
        let root =
            format!("permit (principal in Countersign::Role::\"root\", action in [{}], resource);", actions.join(", "));
        fs::write(folder.path().join("policy.cedar"), format!("{policy}{root}")).unwrap();
        let text = format!(
            "state = \"state\"\n{top}\n[[listener]]\nname = \"inside\"\nunix = \"a\"\nadmin = true\n\
             [[listener]]\nname = \"outside\"\nunix = \"b\"\n[[target]]\nname = \"t\"\nspeaks = \"openai\"\n\
             url = \"http://127.0.0.1:9\"\nmodels = [\"m\"]\n[policy]\nfiles = [\"policy.cedar\"]\n[rates]\nper_minute = 100000\nburst = 100000\n{more}\n"
        );
        fs::write(folder.path().join("countersign.toml"), text).unwrap();
        let config = config::load(&folder.path().join("countersign.toml")).map_err(Problems).unwrap();
        let state = State::open(&config.home).await.unwrap();
        let mut keys = Vec::new();
        for role in ["root", "clerk"] {
            let new = NewKey {
                tenant: "default".into(),
                subject: role.into(),
                kind: PrincipalKind::Person,
                roles: vec![role.into()],
                scopes: Vec::new(),
                expires: None,
                now: clock::now(),
                note: String::new(),
            };
            let (key, record) = key::create(&state.hasher().unwrap(), new).unwrap();
            state.store().insert_key(&record).await.unwrap();
            keys.push(key.expose().clone());
        }
        let assembly = Arc::new(Assembly::new(&config, state).await.unwrap());
        let [root, clerk] = keys.try_into().unwrap();
        Self { folder, assembly, root, clerk }
    }

    pub(crate) fn gateway(&self) -> &Arc<Gateway> {
        self.assembly.gateway()
    }

    /// Asks by the listener `inside`.
    pub(crate) async fn ask(&self, request: Request<String>) -> (StatusCode, HeaderMap, Value) {
        self.by("inside", request).await
    }

    async fn by(&self, listener: &str, request: Request<String>) -> (StatusCode, HeaderMap, Value) {
        let peer = Peer { ip: None, listener: listener.into() };
        let answer = self.gateway().handle(request.map(|text| Full::new(Bytes::from(text))), peer, None).await;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.ok().unwrap().to_bytes();
        let value = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
        (parts.status, parts.headers, value)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).header("authorization", format!("Bearer {}", self.root));
        let (status, _, value) = self.ask(request.body(String::new()).unwrap()).await;
        (status, value)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, _, value) = self.ask(posting(path, &self.root, &body)).await;
        (status, value)
    }

    /// Asks, and leaves the answer's body to be read as it comes.
    pub(crate) async fn open(&self, request: Request<String>) -> (http::response::Parts, AnswerBody) {
        let peer = Peer { ip: None, listener: "inside".into() };
        self.gateway().handle(request.map(|text| Full::new(Bytes::from(text))), peer, None).await.into_parts()
    }

    /// Gets `path` until what it gives is as it will be.
    pub(crate) async fn until(&self, path: &str, there: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (_, value) = self.get(path).await;
            if there(&value) {
                return value;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The id of a request that is on record.
    pub(crate) async fn known_request(&self) -> String {
        let request = Request::get("/v1/models").header("authorization", format!("Bearer {}", self.root));
        let (_, headers, _) = self.ask(request.body(String::new()).unwrap()).await;
        headers["x-request-id"].to_str().unwrap().to_owned()
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Writes a file of its folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// What is on record so far.
    pub(crate) async fn records(&self) -> Vec<Record> {
        self.gateway().stages().audit.close().await;
        self.recorded()
    }

    /// What is durable already.
    fn recorded(&self) -> Vec<Record> {
        let dir = DiskDir::read_only(self.folder.path().join("state/audit")).unwrap();
        show::records(&dir).unwrap().map(|shown| shown.unwrap().record).collect()
    }
}

pub(crate) fn posting(path: &str, key: &str, body: &Value) -> Request<String> {
    let empty = body.is_null();
    let request = Request::post(path).header("authorization", format!("Bearer {key}"));
    let request = if empty { request } else { request.header("content-type", "application/json") };
    request.body(if empty { String::new() } else { body.to_string() }).unwrap()
}

#[test]
fn every_route_is_where_its_group_says_and_named_once() {
    let mut names: Vec<_> = routes().map(|route| route.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    for group in GROUPS {
        for route in group.routes {
            assert!(route.path.starts_with(group.path), "{}", route.path);
            assert!(!route.gives.is_empty(), "{}", route.path);
        }
    }
}

#[tokio::test]
async fn whoever_the_policy_does_not_permit_a_route_is_refused_on_each() {
    let world = World::new("").await;
    for route in routes().filter(|route| matches!(route.permit, Permit::Action(_))) {
        let path = route.path.replace("{id}", "x").replace("{receiver}", "x");
        let with = |key: Option<&str>| {
            let request = Request::builder().method(&route.method).uri(&path);
            let request = match key {
                Some(key) => request.header("authorization", format!("Bearer {key}")),
                None => request,
            };
            request.body(String::new()).unwrap()
        };
        let (status, _, value) = world.ask(with(Some(&world.clerk))).await;
        assert!(status == StatusCode::FORBIDDEN && value.to_string().contains("CS0301"), "{path}: {value}");
        let (status, _, value) = world.ask(with(None)).await;
        assert!(status == StatusCode::UNAUTHORIZED && value.to_string().contains("CS0201"), "{path}: {value}");
        // By another listener there is no such thing, whoever asks.
        let (status, ..) = world.by("outside", with(Some(&world.root))).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        // A page is not served, whatever it brings along.
        for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "same-origin")]
        {
            let mut request = with(Some(&world.root));
            request.headers_mut().insert(name, value.parse().unwrap());
            let (status, _, value) = world.ask(request).await;
            assert!(status == StatusCode::FORBIDDEN && value.to_string().contains("CS0806"), "{path}: {value}");
        }
    }
}

#[tokio::test]
async fn a_key_is_shown_once_works_at_once_and_ends_at_once() {
    let world = World::new("").await;
    let new = json!({"subject": "bot", "roles": ["staff"], "kind": "agent", "note": "for the shop"});
    let (status, made) = world.post("/admin/v1/keys", new).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (secret, id) = (made["secret"].as_str().unwrap(), made["key"]["id"].as_str().unwrap());
    let models = |key: &str| {
        let request = Request::get("/v1/models").header("authorization", format!("Bearer {key}"));
        world.ask(request.body(String::new()).unwrap())
    };
    assert_eq!(models(secret).await.0, StatusCode::OK);
    let (status, one) = world.get(&format!("/admin/v1/keys/{id}")).await;
    assert_eq!((status, &one["standing"], &one["kind"]), (StatusCode::OK, &json!("active"), &json!("agent")));
    assert!(!one.to_string().contains(secret));
    let (status, ended) = world.post(&format!("/admin/v1/keys/{id}/revoke"), Value::Null).await;
    assert_eq!((status, &ended["standing"]), (StatusCode::OK, &json!("revoked")));
    assert!(models(secret).await.2.to_string().contains("CS0204"));
    let (_, again) = world.post(&format!("/admin/v1/keys/{id}/revoke"), Value::Null).await;
    assert_eq!(again, ended);
    assert_eq!(world.get("/admin/v1/keys/key_none").await.0, StatusCode::NOT_FOUND);

    let records = world.records().await;
    let changes: Vec<_> =
        records.iter().filter_map(|r| if let Record::Changed(c) = r { Some(c) } else { None }).collect();
    assert_eq!(changes.iter().map(|c| &*c.action).collect::<Vec<_>>(), ["createKey", "revokeKey", "revokeKey"]);
    assert!(changes[0].was.is_empty() && changes[0].becomes["roles"] == "staff" && changes[0].what == id);
    assert!(changes[1].was["revoked"] == "no" && changes[1].becomes["revoked"] != "no");
    let who = &changes[0].who;
    assert_eq!((&*who.subject, &*who.tenant), ("root", "default"));
    assert!(records.iter().all(|r| !serde_json::to_string(r).unwrap().contains(secret)));
}

#[tokio::test]
async fn a_revocation_holds_from_the_next_request_on_until_it_is_lifted() {
    let world = World::new("").await;
    let models = || {
        let request = Request::get("/v1/models").header("authorization", format!("Bearer {}", world.clerk));
        world.ask(request.body(String::new()).unwrap())
    };
    for target in ["role:clerk", "principal:default/clerk"] {
        assert_eq!(models().await.0, StatusCode::OK, "{target}");
        let (status, made) =
            world.post("/admin/v1/revocations", json!({"target": target, "reason": "lost laptop"})).await;
        assert_eq!((status, &made["standing"]), (StatusCode::CREATED, &json!("in-force")), "{made}");
        assert!(models().await.2.to_string().contains("CS0204"), "{target}");
        let id = made["id"].as_str().unwrap();
        // What another process reads from the store is the same.
        world.assembly.force().distrust();
        world.assembly.force().refresh().await.unwrap();
        assert!(models().await.2.to_string().contains("CS0204"), "{target}");
        let (status, lifted) = world.post(&format!("/admin/v1/revocations/{id}/lift"), Value::Null).await;
        assert_eq!((status, &lifted["standing"]), (StatusCode::OK, &json!("lifted")));
        assert_eq!(lifted["lifted_by"], "default/root");
        let (_, again) = world.post(&format!("/admin/v1/revocations/{id}/lift"), Value::Null).await;
        assert_eq!(again, lifted);
        assert_eq!(world.get(&format!("/admin/v1/revocations/{id}")).await.1, lifted);
    }
    let (_, list) = world.get("/admin/v1/revocations?limit=1").await;
    assert_eq!(list["items"][0]["target"], "principal:default/clerk");
    let next = list["next"].as_str().unwrap();
    let (_, rest) = world.get(&format!("/admin/v1/revocations?limit=1&cursor={next}")).await;
    assert_eq!((&rest["items"][0]["target"], &rest["next"]), (&json!("role:clerk"), &Value::Null));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_changes_nothing() {
    let world = World::new("").await;
    let bad = [
        json!({}),
        json!([]),
        json!({"target": "role:x"}),
        json!({"target": "nonsense", "reason": "r"}),
        json!({"target": "role:x", "reason": ""}),
        json!({"target": "role:x", "reason": "a\nb"}),
        json!({"target": "role:x", "reason": "r", "before": "yesterday"}),
        json!({"target": "role:x", "reason": "r", "before": "2026-01-01T00:00:00Z", "block": true}),
        json!({"target": "role:x", "reason": "r", "unknown": 1}),
        json!({"target": "role:x", "reason": "r", "block": "yes"}),
    ];
    for body in bad {
        let (status, problem) = world.post("/admin/v1/revocations", body.clone()).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("CS0101")), "{body}");
    }
    let twice = r#"{"target":"role:x","target":"role:y","reason":"r"}"#;
    let mut request = posting("/admin/v1/revocations", &world.root, &json!({}));
    *request.body_mut() = twice.to_owned();
    assert_eq!(world.ask(request.clone()).await.0, StatusCode::BAD_REQUEST);
    request.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(world.ask(request.clone()).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    *request.body_mut() = format!("\"{}\"", "x".repeat(1 << 17));
    assert_eq!(world.ask(request).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    for path in
        ["/admin/v1/keys?limit=0", "/admin/v1/keys?limit=201", "/admin/v1/keys?x=1", "/admin/v1/keys?cursor=%21"]
    {
        assert_eq!(world.get(path).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    for path in ["/admin/v1/", "/admin/v1/keys/", "/admin/v1/keys/a/b/c", "/admin/v1/keys/a%2Fb"] {
        assert_eq!(world.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(world.post("/admin/v1/status", Value::Null).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(world.get("/admin/v1/revocations").await.1["items"], json!([]));
}

#[tokio::test]
async fn a_change_that_is_asked_for_again_is_made_once_and_its_secret_is_not_kept() {
    let world = World::new("").await;
    let new = json!({"subject": "bot", "roles": ["staff"]});
    let with = |key: &str, body: &Value| {
        let mut request = posting("/admin/v1/keys", &world.root, body);
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        request
    };
    let (status, _, first) = world.ask(with("one", &new)).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, headers, second) = world.ask(with("one", &new)).await;
    assert_eq!((status, &headers["idempotency-replayed"]), (StatusCode::CREATED, &"true".parse().unwrap()));
    assert_eq!((&second["key"], &second["secret"]), (&first["key"], &Value::Null));
    let (status, _, other) = world.ask(with("one", &json!({"subject": "else", "roles": ["staff"]}))).await;
    assert_eq!((status, &other["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("CS0803")));
    // What was refused may be asked again, better.
    assert_eq!(world.ask(with("two", &json!({"subject": "bot"}))).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(world.ask(with("two", &new)).await.0, StatusCode::CREATED);
    assert_eq!(world.ask(with("a b", &new)).await.0, StatusCode::BAD_REQUEST);
    let (_, list) = world.get("/admin/v1/keys").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_change_that_cannot_be_recorded_is_not_made() {
    let world = World::new("").await;
    world.gateway().stages().audit.close().await;
    let (status, _) = world.post("/admin/v1/revocations", json!({"target": "role:clerk", "reason": "r"})).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(world.assembly.state().store().revocations(None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_no_change_half_made() {
    let world = World::new("").await;
    let body = json!({"target": "role:x", "reason": "r"});
    let peer = Peer { ip: None, listener: "inside".into() };
    for cut in 0..40 {
        let request = posting("/admin/v1/revocations", &world.root, &body).map(|text| Full::new(Bytes::from(text)));
        let mut asking = Box::pin(world.gateway().handle(request, peer.clone(), None));
        // Gone after so many turns of whatever has to be waited for.
        for _ in 0..cut {
            let turn = std::future::poll_fn(|cx| std::task::Poll::Ready(asking.as_mut().poll(cx).is_ready()));
            if turn.await {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    let store = world.assembly.state().store();
    let made_as_recorded = async {
        loop {
            let kept = store.revocations(None, 200).await.unwrap();
            let records = world.recorded();
            let changed: Vec<_> =
                records.iter().filter_map(|r| if let Record::Changed(c) = r { Some(&*c.what) } else { None }).collect();
            if !changed.is_empty() && changed.iter().all(|what| kept.iter().any(|r| *r.id == **what)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let patience = std::time::Duration::from_secs(20);
    tokio::time::timeout(patience, made_as_recorded).await.expect("what is on record is made");
}

#[tokio::test]
async fn status_and_checkpoint_are_told() {
    let world = World::new("").await;
    let (status, said) = world.get("/admin/v1/status").await;
    assert_eq!((status, &said["recording"], &said["node"]), (StatusCode::OK, &json!(true), &json!("countersign")));
    let (status, note) = world.get("/admin/v1/audit/checkpoint").await;
    assert!(status == StatusCode::OK && note.as_str().unwrap().starts_with("countersign\n"), "{note}");
}

#[test]
fn the_document_names_the_action_of_every_route() {
    let document = openapi::document();
    for route in routes() {
        let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        assert_eq!(operation["operationId"], route.name);
        match route.permit {
            Permit::Action(action) => assert_eq!(operation["x-countersign-action"], action.as_str()),
            Permit::Open => assert_eq!(operation["security"], json!([])),
        }
    }
}
