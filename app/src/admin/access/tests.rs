use countersign_audit::record::Record;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::super::tests::{World, posting};
use super::*;

const ACCESS: &str = r#"
resource = "https://ai.bank.example"
[[access]]
name = "incident"
roles = ["responder"]
for = ["model:m", "tool:sql-*"]
longest_minutes = 60
approvals = 2
approvers = ["lead"]
break_glass = ["on-call"]
"#;

/// Keys of people who may all use the routes; the rules of access tell them apart.
struct Company {
    world: World,
    keys: Vec<(&'static str, String)>,
}

impl Company {
    async fn new() -> Self {
        let world = World::new(ACCESS).await;
        let mut keys = Vec::new();
        let staff = [("ann", "on-call", "person"), ("bob", "lead", "person"), ("eve", "lead", "person")];
        for (name, role, kind) in staff.into_iter().chain([("robot", "lead", "agent")]) {
            let new = json!({"subject": name, "roles": ["root", role], "kind": kind});
            let (_, made) = world.post("/admin/v1/keys", new).await;
            keys.push((name, made["secret"].as_str().unwrap().to_owned()));
        }
        Self { world, keys }
    }

    fn key(&self, who: &str) -> &str {
        &self.keys.iter().find(|(name, _)| *name == who).unwrap().1
    }

    async fn post(&self, who: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, _, value) = self.world.ask(posting(path, self.key(who), &body)).await;
        (status, value)
    }

    async fn get(&self, who: &str, path: &str) -> Value {
        let request = Request::get(path).header("authorization", format!("Bearer {}", self.key(who)));
        self.world.ask(request.body(String::new()).unwrap()).await.2
    }

    async fn asked(&self, who: &str) -> String {
        let (status, case) = self.post(who, "/admin/v1/access", wish()).await;
        assert_eq!((status, &case["standing"]), (StatusCode::CREATED, &json!("pending")), "{case}");
        case["id"].as_str().unwrap().to_owned()
    }

    async fn word(&self, who: &str, id: &str, word: &str) -> (StatusCode, Value) {
        self.post(who, &format!("/admin/v1/access/{id}/{word}"), json!({"note": "seen"})).await
    }
}

fn wish() -> Value {
    json!({"access": "incident", "for": ["model:m"], "purpose": "ticket 7", "minutes": 30})
}

#[tokio::test]
async fn access_is_asked_for_approved_by_two_others_and_ended() {
    let company = Company::new().await;
    let id = company.asked("ann").await;
    let (status, said) = company.word("ann", &id, "approve").await;
    assert_eq!((status, &said["code"]), (StatusCode::FORBIDDEN, &json!("CS0807")), "{said}");
    assert!(said["detail"].as_str().unwrap().starts_with("nobody decides"));
    assert_eq!(company.word("robot", &id, "approve").await.0, StatusCode::FORBIDDEN);
    let (_, case) = company.word("bob", &id, "approve").await;
    assert_eq!(case["standing"], "pending");
    assert_eq!(company.word("bob", &id, "approve").await.0, StatusCode::CONFLICT);
    let (status, case) = company.word("eve", &id, "approve").await;
    assert_eq!((status, &case["standing"], &case["roles"]), (StatusCode::OK, &json!("granted"), &json!(["responder"])));
    assert_eq!(company.get("bob", "/admin/v1/grants").await["items"][0]["id"], id);
    assert_eq!(company.get("ann", "/admin/v1/my/access").await["items"][0]["id"], id);
    assert_eq!(company.get("bob", "/admin/v1/my/access").await["items"], json!([]));

    assert_eq!(
        company.post("bob", &format!("/admin/v1/my/access/{id}/end"), Value::Null).await.0,
        StatusCode::NOT_FOUND
    );
    let (_, case) = company.post("eve", &format!("/admin/v1/access/{id}/end"), Value::Null).await;
    assert_eq!((&case["standing"], &case["closed_by"]), (&json!("ended"), &json!("default/eve")));
    assert_eq!(company.get("bob", "/admin/v1/grants").await["items"], json!([]));
    assert_eq!(
        company.post("ann", &format!("/admin/v1/my/access/{id}/end"), Value::Null).await.0,
        StatusCode::CONFLICT
    );

    let records = company.world.records().await;
    let of =
        |r: &Record| if let Record::Changed(c) = r { Some((c.action.to_string(), c.becomes.clone())) } else { None };
    let changes: Vec<_> = records.iter().filter_map(of).filter(|(action, _)| action != "createKey").collect();
    let names: Vec<_> = changes.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(names, ["requestAccess", "approveRequest", "approveRequest", "endGrant"]);
    assert_eq!(changes[2].1["standing"], "granted");
    assert_eq!(changes[2].1["decisions"], "default/bob yes, default/eve yes");
}

#[tokio::test]
async fn one_no_is_enough_and_what_is_taken_back_stays_so() {
    let company = Company::new().await;
    let id = company.asked("ann").await;
    let (_, case) = company.word("bob", &id, "deny").await;
    assert_eq!(case["standing"], "denied");
    assert_eq!(company.word("eve", &id, "approve").await.0, StatusCode::CONFLICT);
    let id = company.asked("ann").await;
    let (_, case) = company.post("ann", &format!("/admin/v1/my/access/{id}/end"), Value::Null).await;
    assert_eq!(case["standing"], "withdrawn");
    assert_eq!(company.word("eve", &id, "approve").await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn broken_glass_is_granted_at_once_and_has_to_be_reviewed_first() {
    let company = Company::new().await;
    assert_eq!(company.post("bob", "/admin/v1/break-glass", wish()).await.0, StatusCode::FORBIDDEN);
    let (status, case) = company.post("ann", "/admin/v1/break-glass", wish()).await;
    assert_eq!((status, &case["standing"]), (StatusCode::CREATED, &json!("granted")));
    let (status, said) = company.post("ann", "/admin/v1/break-glass", wish()).await;
    assert_eq!((status, &said["code"]), (StatusCode::FORBIDDEN, &json!("CS0807")), "{said}");
    let review = format!("/admin/v1/access/{}/review", case["id"].as_str().unwrap());
    assert_eq!(company.post("ann", &review, json!({"justified": true})).await.0, StatusCode::FORBIDDEN);
    let (_, case) = company.post("bob", &review, json!({"justified": false, "note": "no"})).await;
    assert_eq!((&case["standing"], &case["review"]["yes"]), (&json!("ended"), &json!(false)));
    assert_eq!(company.post("ann", "/admin/v1/break-glass", wish()).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_opens_no_case() {
    let company = Company::new().await;
    let mut bad = vec![json!({}), json!([])];
    for (name, value) in [
        ("access", json!("other")),
        ("for", json!([])),
        ("for", json!(["model:other"])),
        ("for", json!("model:m")),
        ("purpose", json!("")),
        ("purpose", json!("a\nb")),
        ("minutes", json!(0)),
        ("minutes", json!(61)),
        ("minutes", json!(u64::MAX)),
        ("unknown", json!(1)),
        ("actor", json!({"subject": "ann"})),
        ("actor", json!({"subject": ""})),
        ("holder", json!({"subject": "bob", "kind": "other"})),
    ] {
        let mut wish = wish();
        wish[name] = value;
        bad.push(wish);
    }
    for body in bad {
        let (status, said) = company.post("ann", "/admin/v1/access", body.clone()).await;
        assert_eq!((status, &said["code"]), (StatusCode::BAD_REQUEST, &json!("CS0101")), "{body}: {said}");
    }
    assert_eq!(company.get("bob", "/admin/v1/access").await["items"], json!([]));
    assert_eq!(company.word("bob", "acc_none", "approve").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_step_that_cannot_be_recorded_is_not_taken() {
    let company = Company::new().await;
    let id = company.asked("ann").await;
    company.word("bob", &id, "approve").await;
    company.world.gateway().stages().audit.close().await;
    assert_eq!(company.word("eve", &id, "approve").await.0, StatusCode::SERVICE_UNAVAILABLE);
    let store = company.world.assembly.state().store();
    let case = store.case(&id).await.unwrap().unwrap();
    assert_eq!((case.decisions.len(), case.grant), (1, None));
    assert_eq!(company.post("ann", "/admin/v1/break-glass", wish()).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(store.granted_since(clock::now()).await.unwrap().is_empty());
}
