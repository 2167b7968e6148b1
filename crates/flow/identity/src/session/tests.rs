use std::time::Duration;

use countersign_core::{
    access::{Being, Decision, Grant},
    principal::PrincipalKind,
};
use countersign_seal::KeyRing;

use super::*;

const NOW: Timestamp = Timestamp(1_900_000_000_000_000);
const HOUR: Duration = Duration::from_hours(1);

fn being(subject: &str) -> Being {
    Being { tenant: "bank".into(), subject: subject.into() }
}

fn case() -> Case {
    Case {
        id: "acc_1".into(),
        access: "incident".into(),
        asker: being("ann"),
        holder: being("ann"),
        kind: PrincipalKind::Person,
        actor: Some(being("robot")),
        things: vec!["data:ledger".into(), "model:large".into(), "tool:sql".into()],
        purpose: "why".into(),
        span: HOUR,
        asked: NOW,
        needed: 1,
        decisions: vec![Decision { by: being("bob"), yes: true, at: NOW, note: String::new() }],
        glass: false,
        grant: Some(Grant { roles: vec!["responder".into()], begins: NOW, ends: NOW.plus(HOUR) }),
        closed: None,
        review: None,
    }
}

/// One who asks by an API key that was made a while ago.
fn principal(subject: &str, key: &str, board: &Arc<Board>) -> Principal {
    let (tenant, subject, credential) = ("bank".into(), subject.into(), key.into());
    let covering = Target::covering(&tenant, &subject, &credential, &["clerk".into()], None);
    let lease = Lease::new(None).under(board.clone(), covering, Timestamp(NOW.0 - 100));
    Principal {
        tenant,
        subject,
        kind: PrincipalKind::Person,
        roles: ["clerk".into()].into(),
        scopes: [].into(),
        credential,
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(lease),
    }
}

struct World {
    sessions: Sessions,
    board: Arc<Board>,
    text: String,
    record: SessionRecord,
    keys: [(&'static str, Arc<Lease>); 2],
}

impl World {
    fn new() -> Self {
        let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).unwrap();
        let board = Arc::<Board>::default();
        let sessions = Sessions::new(ring.hasher(PURPOSE).unwrap(), board.clone());
        let (holder, actor) = (principal("ann", "key_ann", &board), principal("robot", "key_robot", &board));
        let new = NewSession {
            case: Arc::new(case()),
            with: &[&holder, &actor],
            bound: Confirmation::Key([7; 32]),
            acts: vec!["bank/robot".into()],
            now: NOW,
            expires: NOW.plus(HOUR / 2),
        };
        let (text, record) = sessions.create(new).unwrap();
        let keys = [("key_ann", holder.lease), ("key_robot", actor.lease)];
        let world = Self { sessions, board, text: text.expose().clone(), record, keys };
        world.load(vec![world.record.clone()]);
        world
    }

    fn load(&self, records: Vec<SessionRecord>) {
        let lease_of = |id: &str| self.keys.iter().find(|(key, _)| *key == id).map(|(_, lease)| lease.clone());
        self.sessions.load(records, lease_of);
    }

    fn ask(&self, now: Timestamp) -> Result<Arc<Principal>, Code> {
        self.sessions.principal(self.text.as_bytes(), now).map_err(|refusal| refusal.code)
    }
}

#[test]
fn the_bearer_is_the_holder_with_what_was_granted_and_nothing_else() {
    let world = World::new();
    let who = world.ask(NOW).unwrap();
    assert_eq!((&*who.tenant, &*who.subject, &*who.credential), ("bank", "ann", "acc_1"));
    assert_eq!(*who.roles, ["responder".into()], "the holder's own roles stay behind");
    assert_eq!(*who.scopes, ["model:large".into(), "tool:sql".into()]);
    let session = who.session.as_ref().unwrap();
    assert_eq!((&*session.acts, session.bound), (&["bank/robot".into()][..], Confirmation::Key([7; 32])));
    assert!(!format!("{:?}", world.record).contains(&world.text[4..]));
    for text in ["", "css_", &world.text[1..], &format!("{}x", world.text), &world.text.replace("css_", "csk_")] {
        assert_eq!(world.sessions.principal(text.as_bytes(), NOW).unwrap_err().code, Code::BadCredential, "{text}");
    }
}

#[test]
fn it_is_over_with_its_time_with_its_grant_and_with_its_case() {
    let world = World::new();
    let half = NOW.plus(HOUR / 2);
    let held = world.ask(NOW).unwrap();
    assert!(world.ask(Timestamp(half.0 - 1)).is_ok());
    assert_eq!(world.ask(half).unwrap_err(), Code::ExpiredCredential);
    assert!(!held.lease.stands(half), "a stream in flight ends");

    // A grant that ends first ends it, whatever its own record says.
    let world = World::new();
    world.load(vec![SessionRecord { expires: NOW.plus(HOUR * 9), ..world.record.clone() }]);
    assert_eq!(world.ask(NOW.plus(HOUR)).unwrap_err(), Code::ExpiredCredential);
    let ungranted = Case { grant: None, ..case() };
    world.load(vec![SessionRecord { case: Arc::new(ungranted), ..world.record.clone() }]);
    assert!(world.ask(NOW).is_err());

    // What is in the store no more, for its case was closed, is cut.
    let world = World::new();
    let held = world.ask(NOW).unwrap();
    world.load(vec![world.record.clone()]);
    assert!(held.lease.stands(NOW), "nothing changed");
    world.load(vec![]);
    assert!(!held.lease.stands(NOW));
    assert_eq!(world.ask(NOW).unwrap_err(), Code::BadCredential);
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_last_longer() {
    let world = World::new();
    assert_eq!(world.ask(Timestamp(NOW.0 - 1)).unwrap_err(), Code::BadCredential, "opened later than it is now");
    assert!(world.ask(NOW.plus(HOUR / 4)).is_ok());
    // Forward past the end, and back.
    assert_eq!(world.ask(NOW.plus(HOUR)).unwrap_err(), Code::ExpiredCredential);
    assert_eq!(world.ask(NOW.plus(HOUR / 4)).unwrap_err(), Code::ExpiredCredential);
}

#[test]
fn it_is_over_with_every_credential_it_was_opened_with() {
    for at in 0..2 {
        let world = World::new();
        let held = world.ask(NOW).unwrap();
        world.keys[at].1.end();
        assert!(!held.lease.stands(NOW) && world.ask(NOW).is_err(), "{}", world.keys[at].0);
    }
    // One whose key nobody knows any more never stands.
    let world = World::new();
    world.sessions.load(vec![], |_| None);
    world.sessions.load(vec![world.record.clone()], |_| None);
    assert!(world.ask(NOW).is_err());
}

#[test]
fn it_is_revoked_by_all_that_revokes_what_it_was_opened_with_and_by_its_own_name() {
    let world = World::new();
    let held = world.ask(NOW).unwrap();
    let (own, case) = (format!("credential:{}", world.record.id), "credential:acc_1".to_owned());
    let targets = [
        "everything",
        "tenant:bank",
        "principal:bank/ann",
        "principal:bank/robot",
        "credential:key_ann",
        "credential:key_robot",
        "role:clerk",
        "role:responder",
        &own,
        &case,
    ];
    for target in targets {
        // At the time the older of the two was issued, not when the session was opened.
        world.board.replace([(target.parse().unwrap(), Timestamp(NOW.0 - 99))]);
        assert_eq!(world.ask(NOW).unwrap_err(), Code::RevokedCredential, "{target}");
        assert!(!held.lease.stands(NOW), "{target}");
    }
    for other in ["tenant:shop", "principal:bank/bob", "role:lead", "credential:acc_2"] {
        world.board.replace([(other.parse().unwrap(), Timestamp::MAX)]);
        assert!(world.ask(NOW).is_ok(), "{other}");
    }
}
