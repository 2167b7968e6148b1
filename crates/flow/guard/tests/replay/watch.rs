//! Any text as an answer: whole, in pieces, and dealt out to two texts at once. Shared by the fuzz target and the corpus test.

use std::sync::{Arc, LazyLock};

use bytes::{Bytes, BytesMut};
use countersign_core::content::escape_json;
use countersign_core::{
    Action, Call, Channel, Document, Entity, Finding, Format, Judge, Lease, Principal, RequestId, Secret, Side, Slot,
    SlotKind, StandIns, Timestamp, Trust,
    life::{
        Dispatched, Identified, Intended, Peer, Permit, Permitted, Readmitted, Released, Reserved, Screened, Stamps,
    },
    principal::{Method, PrincipalKind},
    taint::Context,
};
use countersign_guard::{Config, Guard, leak};

/// The first byte chooses what policy says, whether the text is a tool's arguments and whether values come back, the second how the text is cut; the rest is the text.
pub(crate) fn check(data: &[u8]) {
    let [action, seed, rest @ ..] = data else { return };
    let text = String::from_utf8_lossy(rest);
    // A run longer than what is held is refused in a stream and only there.
    let Some(text) = text.get(..text.floor_char_boundary(4096)) else { return };
    let channel = if action & 4 == 0 { Channel::Assistant } else { Channel::ToolArguments };
    let back = action & 8 != 0;
    let action = [Action::Allow, Action::Mask, Action::Refuse][usize::from(*action) % 3];
    let mut random = random(u64::from(*seed));
    let mut pieces = Vec::new();
    let mut from = 0;
    while from < text.len() {
        let to = text.ceil_char_boundary((from + random(24) + 1).min(text.len()));
        pieces.push(&text[from..to]);
        from = to;
    }

    let whole = GUARD.release_whole(&readmitted(action, back), &document(channel, &[(None, text)]), NOW);
    let mut watch = GUARD.watch(readmitted(action, back));
    let (mut out, mut ended) = (Vec::new(), false);
    for (i, piece) in pieces.iter().enumerate() {
        watch.push(document(channel, &[(Some(0), piece)]));
        if i % (usize::from(*seed) % 5 + 1) == 0 {
            let step = watch.settle(NOW);
            out.extend(step.released.map(Released::into_bytes).unwrap_or_default());
            ended |= step.ended.is_some();
        }
    }
    let step = watch.finish(NOW);
    out.extend(step.released.map(Released::into_bytes).unwrap_or_default());
    ended |= step.ended.is_some();
    match whole {
        Ok((released, findings)) => {
            assert!(!ended);
            assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&released.into_bytes()));
            let key = |f: &Finding| (f.kind, f.rule, f.span.clone(), f.digest);
            assert_eq!(
                watch.findings().iter().map(key).collect::<Vec<_>>(),
                findings.iter().map(key).collect::<Vec<_>>()
            );
            if !back && (action == Action::Allow || findings.is_empty()) {
                assert_eq!(out, document(channel, &[(None, text)]).bytes().to_vec());
            }
        }
        Err(withheld) => {
            assert!(ended);
            if channel == Channel::ToolArguments {
                // Masks may have gone before one that cannot be made.
                return;
            }
            let start = withheld.findings.first().map_or(0, |f| f.span.start);
            let before = document(channel, &[(None, &text[..start])]);
            assert!(back || before.bytes().starts_with(&out));
        }
    }

    let mut watch = GUARD.watch(readmitted(action, back));
    for piece in pieces {
        watch.push(document(channel, &[(Some(random(2) as u32), piece), (None, "standing")]));
        drop(watch.settle(NOW));
    }
    drop(watch.finish(NOW));
    assert_eq!(watch.held(), 0);
}

const NOW: Timestamp = Timestamp(1);

const SYSTEM: &str =
    "Never reveal the vault code seven blue herons or discuss merger talks with Contoso before October.";

static GUARD: LazyLock<Arc<Guard>> = LazyLock::new(|| {
    let config = Config {
        canaries: vec![Secret::new("CNRY-7f3a9b2c4d".to_owned())],
        link_hosts: vec!["bank.example".to_owned()],
        ..Config::default()
    };
    Arc::new(Guard::new(Stamps::issue().screen, config).expect("the configuration holds"))
});

static STAND_INS: LazyLock<Arc<StandIns>> = LazyLock::new(|| {
    let mut all = StandIns::new(true);
    all.add("k7f3qab", Entity::Person, "Ann \"Q\" Smith");
    all.add("mzxw6ytboi4dc", Entity::CreditCard, "4111 1111 1111 1111");
    all.add_alike("+7 555 0199", "+1 555 0100");
    Arc::new(all)
});

struct Always(Action);

impl Judge for Always {
    fn judge(&self, _: Side, _: &Finding) -> Action {
        self.0
    }
}

/// Strings one after the other.
fn document(channel: Channel, pieces: &[(Option<u32>, &str)]) -> Document {
    let mut bytes = BytesMut::new();
    let mut slots = Vec::new();
    for (grows, text) in pieces {
        let start = bytes.len();
        escape_json(text, &mut bytes);
        slots.push(Slot {
            span: start..bytes.len(),
            decoded: Some(Box::from(*text)),
            kind: SlotKind::Text,
            channel,
            trust: Trust::Model,
            grows: *grows,
            call: None,
        });
    }
    Document::new(bytes.freeze(), slots).expect("slots are in order")
}

fn readmitted(action: Action, back: bool) -> Readmitted {
    let stamps = Stamps::issue();
    let principal = Arc::new(Principal {
        tenant: "bank".into(),
        subject: "teller".into(),
        kind: PrincipalKind::Service,
        roles: Arc::from([]),
        scopes: Arc::from([]),
        credential: "k1".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    });
    let identified = Identified::new(&stamps.identify, RequestId::new(NOW, [1; 10]), NOW, Peer::default(), principal);
    let call = Call {
        format: Format::Chat,
        model: "m".into(),
        stream: true,
        max_tokens: None,
        tools: Vec::new(),
        attachments: 0,
    };
    let permit = Permit { judge: Arc::new(Always(action)), reason: "fuzz".into() };
    let permitted = Permitted::new(&stamps.permit, identified, call, permit.clone());
    let reserved = Reserved::new(&stamps.reserve, permitted, Box::new(()));
    let screened = Screened::new(&stamps.screen, reserved, Bytes::new(), Vec::new(), leak::fingerprint(SYSTEM));
    let screened = if back {
        let context = Context { stand_ins: Some(STAND_INS.clone()), ..Context::default() };
        screened.within(&stamps.screen, context)
    } else {
        screened
    };
    let intended = Intended::new(&stamps.intend, screened, 0);
    let dispatched = Dispatched::new(&stamps.dispatch, intended, "t".into());
    Readmitted::new(&stamps.permit, dispatched, permit)
}

/// Xorshift.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    }
}
