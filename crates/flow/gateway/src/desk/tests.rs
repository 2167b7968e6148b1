use std::net::{IpAddr, Ipv4Addr};

use countersign_audit::record::Record;
use countersign_core::Code;
use futures_util::{StreamExt, stream};
use http::{StatusCode, header};
use http_body_util::{BodyExt, Full};

use super::*;
use crate::{Gateway, Stages, support::World};

/// Serves `/desk/` to the known and `/open/` to all, on the listener `inside`; says who asks and what they sent.
struct Echo;

impl Desk for Echo {
    fn door(&self, listener: &str, path: &str) -> Option<Door> {
        match path.split('/').nth(1) {
            Some("desk") if listener == "inside" => Some(Door::Known),
            Some("open") if listener == "inside" => Some(Door::Open),
            _ => None,
        }
    }

    fn serve(&self, asked: Asked) -> Pin<Box<dyn Future<Output = Result<Said, Refusal>> + Send + '_>> {
        Box::pin(async move {
            if asked.request.body() == "no" {
                return Err(Refusal::new(Code::BadCredential, "it says no"));
            }
            let who = asked.who.as_ref().map_or("nobody", |who| &who.principal().subject);
            let text = format!("{who}: {}", String::from_utf8_lossy(asked.request.body()));
            let more = asked.request.body() == "more";
            let then = more.then(|| -> Pieces { Box::pin(stream::iter([Bytes::from("!")]).chain(stream::pending())) });
            Ok(Said { response: Response::new(text.into()), then, what: "echo".into() })
        })
    }

    fn refusal(&self, path: &str, refusal: &Refusal, _: RequestId) -> (&'static str, Bytes) {
        ("text/echo", format!("{path}: {}", refusal.code.id()).into())
    }
}

fn world() -> World {
    let world = World::new();
    let old = world.gateway.stages();
    world.gateway.replace(Stages {
        identity: old.identity.clone(),
        policy: old.policy.clone(),
        guard: old.guard.clone(),
        provider: old.provider.clone(),
        audit: old.audit.clone(),
        assessor: None,
        resource: None,
        desk: Some(Arc::new(Echo)),
        onlooker: None,
    });
    world
}

async fn ask(
    gateway: &Arc<Gateway>,
    listener: &str,
    path: &str,
    key: Option<&str>,
    body: impl Into<Bytes>,
) -> (StatusCode, String) {
    let mut request = Request::post(path);
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let peer = Peer { ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), listener: listener.into() };
    let answer = gateway.handle(request.body(Full::new(body.into())).unwrap(), peer, None).await;
    let status = answer.status();
    let body = answer.into_body().collect().await.ok().unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn a_desk_hears_of_nobody_who_is_not_identified_but_at_its_open_doors() {
    let world = world();
    let (gateway, key) = (&world.gateway, Some(world.key.as_str()));
    assert_eq!(ask(gateway, "inside", "/desk/x", key, "hi").await, (StatusCode::OK, "alice: hi".into()));
    let refused = (StatusCode::UNAUTHORIZED, "/desk/x: CS0201".into());
    assert_eq!(ask(gateway, "inside", "/desk/x", None, "hi").await, refused);
    let refused = (StatusCode::UNAUTHORIZED, "/desk/x: CS0202".into());
    assert_eq!(ask(gateway, "inside", "/desk/x", Some("other"), "hi").await, refused);
    assert_eq!(ask(gateway, "inside", "/open/x", None, "hi").await, (StatusCode::OK, "nobody: hi".into()));
    // Whom an open door is for, a credential makes nobody else.
    assert_eq!(ask(gateway, "inside", "/open/x", key, "hi").await.1, "nobody: hi");
    // By another listener there is no desk, and its refusals are not in its words.
    let (status, text) = ask(gateway, "outside", "/desk/x", key, "hi").await;
    assert!(status == StatusCode::NOT_FOUND && text.contains("CS0103"), "{text}");
    assert_eq!(ask(gateway, "outside", "/open/x", None, "hi").await.0, StatusCode::UNAUTHORIZED);

    let records = world.records().await;
    let done = records.iter().filter_map(|r| if let Record::Answered(a) = r { Some(&*a.what) } else { None });
    assert_eq!(done.collect::<Vec<_>>(), ["echo"]);
    assert_eq!(records.iter().filter(|r| matches!(r, Record::Refused(_))).count(), 4);
}

#[tokio::test]
async fn a_desk_goes_on_telling_until_the_credential_ends_and_nobody_at_an_open_door() {
    let world = world();
    let (gateway, key) = (&world.gateway, Some(world.key.as_str()));
    let request = Request::post("/desk/x").header(header::AUTHORIZATION, format!("Bearer {}", world.key));
    let peer = Peer { ip: None, listener: "inside".into() };
    let answer = gateway.handle(request.body(Full::new(Bytes::from("more"))).unwrap(), peer, None).await;
    let mut body = answer.into_body();
    for piece in ["alice: more", "!"] {
        assert_eq!(body.frame().await.unwrap().ok().unwrap().into_data().unwrap(), piece);
    }
    gateway.stages().identity.load(Vec::new());
    gateway.recheck();
    assert!(body.frame().await.is_none());
    assert_eq!(ask(gateway, "inside", "/open/x", None, "more").await.1, "nobody: more", "and that is all");
    assert_eq!(ask(gateway, "inside", "/desk/x", key, "hi").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_cookie_is_looked_for_at_the_desk_alone() {
    let world = world();
    let gateway = &world.gateway;
    let shown = countersign_identity::Presented { api_key: Some(world.key.as_bytes()), ..Default::default() };
    let stages = gateway.stages();
    let now = gateway.now();
    let who = stages.identity.identify(RequestId::new(now, [0; 10]), now, Peer::default(), &shown).await.unwrap();
    let (cookie, _) = stages.identity.browsers().open(who.principal(), now).unwrap();
    for (path, status) in [("/desk/x", StatusCode::OK), ("/v1/messages", StatusCode::UNAUTHORIZED)] {
        let request = Request::post(path).header("cookie", format!("{}={}", crate::cookie::NAME, cookie.expose()));
        let peer = Peer { ip: None, listener: "inside".into() };
        let answer = gateway.handle(request.body(Full::new(Bytes::from("hi"))).unwrap(), peer, None).await;
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[tokio::test]
async fn an_open_door_takes_little_and_counts_who_is_refused() {
    let world = world();
    let gateway = &world.gateway;
    let most = vec![b'x'; OPEN_BODY];
    assert_eq!(ask(gateway, "inside", "/open/x", None, most.clone()).await.0, StatusCode::OK);
    let over = ask(gateway, "inside", "/open/x", None, [&most[..], b"x"].concat()).await;
    assert_eq!(over, (StatusCode::PAYLOAD_TOO_LARGE, "/open/x: CS0102".into()));
    let mut told = Vec::new();
    for _ in 0..130 {
        told.push(ask(gateway, "inside", "/open/x", None, "no").await.0);
    }
    assert_eq!((told[0], told[129]), (StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS));
}
