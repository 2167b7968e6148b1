use std::collections::HashMap;

use bytes::Bytes;
use countersign_core::{
    Entity, Form, Lease, Secret, Slot, SlotKind, Trust,
    principal::{Method, PrincipalKind},
};
use countersign_seal::{DataKeys, KeyRing};

use super::*;

fn vault(shown_to: &[&str]) -> Tokens {
    let ring = KeyRing::from_bytes(Secret::new((1..=32).collect())).unwrap();
    Tokens::new(Arc::new(DataKeys::passing(&ring).unwrap()), shown_to.iter().map(|role| (*role).to_owned()).collect())
}

fn caller(tenant: &str, subject: &str) -> Principal {
    Principal {
        tenant: tenant.into(),
        subject: subject.into(),
        kind: PrincipalKind::Person,
        roles: Arc::from([Arc::from("desk")]),
        scopes: Arc::from([]),
        credential: "k".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    }
}

fn said(turns: &[(Channel, &str)]) -> Document {
    let mut bytes = String::new();
    let mut slots = Vec::new();
    for (channel, text) in turns {
        let span = bytes.len()..bytes.len() + text.len();
        bytes.push_str(text);
        let (decoded, kind, channel, trust) = (None, SlotKind::Text, *channel, Trust::Caller);
        slots.push(Slot { span, decoded, kind, channel, trust, grows: None, call: None });
    }
    Document::new(Bytes::from(bytes), slots).unwrap()
}

fn first(vault: &Tokens, who: &Principal, document: &Document, named: Option<&[u8]>) -> String {
    let named = named.map(|name| ConversationName::parse(name).unwrap());
    let mut conversation = vault.conversation(who, document, named.as_ref()).unwrap();
    conversation.mint(Entity::Person, Form::Conversation, "Ann Smith").unwrap()
}

#[test]
fn a_stand_in_can_be_read_and_is_the_same_while_the_conversation_grows() {
    let (vault, ann) = (vault(&[]), caller("bank", "ann"));
    let began = [(Channel::System, "Be brief."), (Channel::User, "Who is Ann Smith?")];
    let grown = [&began[..], &[(Channel::Assistant, "A customer."), (Channel::User, "Since when?")]].concat();
    let mut conversation = vault.conversation(&ann, &said(&began), None).unwrap();
    let token = conversation.mint(Entity::Person, Form::Conversation, "Ann Smith").unwrap();
    let tag = token.strip_prefix("[PERSON_1:").unwrap().strip_suffix(']').unwrap();
    assert!(tag.len() == TAG_LEN && tag.starts_with(|c: char| c.is_ascii_lowercase()), "{token}");
    assert!(tag.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) && !tag.contains(['l', 'o', '0', '1']));
    assert_eq!(conversation.mint(Entity::Person, Form::Conversation, "Ann Smith").unwrap(), token);
    assert_eq!(conversation.stand_ins().tagged(tag), Some((Entity::Person, "Ann Smith")));
    let other = conversation.mint(Entity::Person, Form::Conversation, "Bo Jones").unwrap();
    assert!(other.starts_with("[PERSON_2:"), "{other}");
    // Another spelling has the number, and a tag of its own, so that each comes back as it was.
    let loud = conversation.mint(Entity::Person, Form::Conversation, "ANN SMITH").unwrap();
    assert!(loud.starts_with("[PERSON_1:") && loud != token);
    assert!(conversation.mint(Entity::Email, Form::Conversation, "a@b.example").unwrap().starts_with("[EMAIL_1:"));
    assert_eq!(first(&vault, &ann, &said(&grown), None), token);
}

const TAG_LEN: usize = 7;

#[test]
fn another_tenant_caller_or_conversation_has_other_stand_ins() {
    let vault = vault(&[]);
    let (one, two) = (said(&[(Channel::User, "a")]), said(&[(Channel::User, "b")]));
    let mut seen = HashMap::new();
    for (tenant, subject) in [("bank", "ann"), ("bank", "bo"), ("shop", "ann"), ("ban", "kann")] {
        let who = caller(tenant, subject);
        for (document, named) in [(&one, None), (&two, None), (&one, Some(&b"x"[..])), (&one, Some(b"y"))] {
            let token = first(&vault, &who, document, named);
            assert_eq!(seen.insert(token, (tenant, subject, named)), None);
        }
        // A name is enough, whatever is said.
        assert_eq!(first(&vault, &who, &one, Some(b"x")), first(&vault, &who, &two, Some(b"x")));
    }
    // What is said never reads as a name, nor do two texts run together into one.
    let (a, b) = ([(Channel::System, "ab"), (Channel::User, "c")], [(Channel::System, "a"), (Channel::User, "bc")]);
    let ann = caller("bank", "ann");
    assert_ne!(first(&vault, &ann, &said(&a), None), first(&vault, &ann, &said(&b), None));
}

#[test]
fn what_they_stand_for_is_kept_where_that_is_asked_for_and_found_by_the_tag() {
    let (ann, document) = (caller("bank", "ann"), said(&[]));
    for (vault, kept) in [(vault(&[]), 0), (vault(&[]).keeping(), 1)] {
        let mut conversation = vault.conversation(&ann, &document, None).unwrap();
        let token = conversation.mint(Entity::Email, Form::Conversation, "a@b.example").unwrap();
        let all = conversation.done();
        assert_eq!(all.kept().count(), kept);
        for spelled in
            [token.clone(), token.to_ascii_uppercase(), token[1..token.len() - 1].into(), format!(" {token}\n")]
        {
            let (entity, tag) = tag(&spelled).unwrap();
            assert_eq!(entity, Entity::Email);
            assert!(all.kept().all(|one| one == (&*tag, Entity::Email, "a@b.example")), "{tag}");
        }
    }
    for other in [
        "",
        "[",
        "[EMAIL_1]",
        "[EMAIL:k7f3qab]",
        "[PET_1:k7f3qab]",
        "[EMAIL_1:]",
        "[EMAIL_x:k7f3qab]",
        "[EMAIL_1:k7 qab]",
    ] {
        assert_eq!(tag(other), None, "{other}");
    }
}

#[test]
fn what_never_comes_back_has_no_stand_in() {
    let mut conversation = vault(&[]).conversation(&caller("bank", "ann"), &said(&[]), None).unwrap();
    for entity in [Entity::Secret, Entity::Password, Entity::CardCvv] {
        assert_eq!(conversation.mint(entity, Form::Conversation, "737"), None);
    }
    assert!(conversation.stand_ins().is_empty());
}

#[test]
fn only_those_who_may_see_values_are_shown_them() {
    let (document, ann) = (said(&[]), caller("bank", "ann"));
    for (roles, shown) in [(&[][..], true), (&["desk"], true), (&["audit"], false), (&["audit", "desk"], true)] {
        assert_eq!(vault(roles).conversation(&ann, &document, None).unwrap().stand_ins().shown(), shown, "{roles:?}");
    }
}

/// Ten thousand conversations at once, of a hundred tenants: no stand-in of one means anything in another.
#[test]
fn ten_thousand_conversations_do_not_cross() {
    let vault = vault(&[]);
    let each = |part: usize| {
        let mut made = Vec::new();
        for n in (part..10_000).step_by(4) {
            let who = caller(&format!("tenant-{}", n % 100), &format!("person-{}", n / 1000));
            let document = said(&[(Channel::User, &format!("conversation {n}"))]);
            let mut conversation = vault.conversation(&who, &document, None).unwrap();
            let value = format!("Person of {}", n % 100);
            conversation.mint(Entity::Person, Form::Conversation, &value).unwrap();
            made.push((value, conversation.done()));
        }
        made
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let each = &each;
        let parts: Vec<_> = (0..4).map(|part| scope.spawn(move || each(part))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    let mut tags = HashMap::new();
    for (value, stand_ins) in &all {
        assert!(stand_ins.values().all(|held| held == value));
        for tag in stand_ins.tags() {
            *tags.entry(tag.to_owned()).or_insert(0) += 1;
        }
    }
    // Of 2^34 tags, 10,000 were drawn: hardly ever are two alike, and never ten.
    assert!(tags.len() > 9_990, "{}", tags.len());
}

#[test]
fn those_that_last_are_the_same_in_every_conversation_of_a_tenant_and_lead_back_with_its_key() {
    let vault = vault(&[]);
    let mint = |tenant: &str, subject: &str, form, entity, value: &str| {
        let mut conversation = vault.conversation(&caller(tenant, subject), &said(&[]), None).unwrap();
        conversation.mint(entity, form, value)
    };
    let of = |tenant, subject, entity| mint(tenant, subject, Form::Deterministic, entity, "ann@bank.example").unwrap();
    let token = of("bank", "ann", Entity::Email);
    assert!(token.starts_with("[EMAIL_v1:") && token == of("bank", "bo", Entity::Email), "{token}");
    assert!(token != of("shop", "ann", Entity::Email) && token != of("bank", "ann", Entity::Username));
    let bank: Arc<str> = "bank".into();
    for spelled in [token.clone(), token.to_ascii_uppercase().replace("_V1", "_v1"), token[1..token.len() - 1].into()] {
        let (entity, value) = vault.reveal(&bank, &spelled).unwrap();
        assert_eq!((entity, value.expose().as_str()), (Entity::Email, "ann@bank.example"));
    }
    let mut forged = token.clone().into_bytes();
    forged[15] = if forged[15] == b'a' { b'b' } else { b'a' };
    for other in [String::from_utf8(forged).unwrap(), token.replace("EMAIL", "PHONE"), "[EMAIL_v1:]".into(), "".into()]
    {
        assert!(vault.reveal(&bank, &other).is_none(), "{other}");
    }
    assert!(vault.reveal(&"shop".into(), &token).is_none());
    assert_eq!(mint("bank", "ann", Form::Deterministic, Entity::Person, &"x".repeat(129)), None);
}

#[test]
fn digits_stand_in_for_digits_where_there_are_enough_of_them() {
    let vault = vault(&[]);
    let mint = |tenant: &str, entity, value: &str| {
        let mut conversation = vault.conversation(&caller(tenant, "ann"), &said(&[]), None).unwrap();
        let alike = conversation.mint(entity, Form::Format, value);
        assert!(alike.iter().all(|_| conversation.stand_ins().alike().any(|(_, known)| known == value)));
        alike
    };
    let card = "4111 1111-1111 1111";
    let alike = mint("bank", Entity::CreditCard, card).unwrap();
    assert!(alike != card && alike.len() == card.len() && &alike[4..5] == " " && &alike[9..10] == "-", "{alike}");
    assert_eq!(mint("bank", Entity::CreditCard, card).unwrap(), alike);
    assert_ne!(mint("shop", Entity::CreditCard, card).unwrap(), alike);
    assert_ne!(mint("bank", Entity::BankAccount, card).unwrap(), alike);
    let bank: Arc<str> = "bank".into();
    assert_eq!(vault.reveal_number(&bank, Entity::CreditCard, &alike).unwrap().expose(), card);
    assert!(vault.reveal_number(&bank, Entity::Email, &alike).is_none());
    // Fewer than a million values, letters that would leave as they are, and what is no number.
    for (entity, value) in [
        (Entity::Phone, "55501"),
        (Entity::BankAccount, "GB29NWBK60161331926819"),
        (Entity::Email, "1234567@1.example"),
    ] {
        assert_eq!(mint("bank", entity, value), None, "{value}");
    }
}
