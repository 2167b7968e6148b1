use countersign_core::{
    Lease,
    principal::{Method, PrincipalKind},
};

use super::{
    super::testing::{NOW, after, issuer},
    *,
};

fn service() -> Arc<Service> {
    Arc::new(Service::new(issuer(), None))
}

fn entry(service: &Arc<Service>, ends: Timestamp) -> Entry {
    let principal = Principal {
        tenant: "bank".into(),
        subject: "bank/u".into(),
        kind: PrincipalKind::Person,
        roles: Arc::new([]),
        scopes: Arc::new([]),
        credential: "token:bank/u".into(),
        method: Method::AccessToken,
        claims: None,
        session: None,
        lease: Arc::new(Lease::within(service.lease.clone(), Some(ends))),
    };
    Entry { principal: Arc::new(principal), service: service.clone(), begins: NOW, groups: None }
}

fn place(token: usize) -> Place {
    Place::of(format!("header.{token}.signature").as_bytes())
}

#[test]
fn a_token_is_found_by_all_of_its_text() {
    let (cache, service) = (Cache::new(1 << 20), service());
    let kept = cache.put(&Place::of(b"a.b.c"), 5, entry(&service, after(9)), NOW);
    assert!(Arc::ptr_eq(&kept.principal, &cache.get(&Place::of(b"a.b.c")).unwrap().principal));
    for other in [&b"a.b.d"[..], b"a.b.", b"a.b", b"a.b.cc", b"a.b.c.", b"x.b.c", b".a.b.c", b"", b"..", b"abc"] {
        assert!(cache.get(&Place::of(other)).is_none(), "{}", String::from_utf8_lossy(other));
    }
    // What is signed is the same: the first one's lease is the second's.
    let twin = cache.put(&Place::of(b"a.b.d"), 5, entry(&service, after(9)), NOW);
    assert!(Arc::ptr_eq(&twin.principal, &kept.principal) && cache.len() == 1);
}

#[test]
fn an_ended_lease_stays_ended_and_an_orphan_is_replaced() {
    let (cache, old) = (Cache::new(1 << 20), service());
    let first = cache.put(&place(1), 9, entry(&old, after(9)), NOW);
    let ended = cache.put(&place(2), 9, entry(&old, after(9)), NOW);
    ended.principal.lease.end();
    old.lease.end();
    assert!(first.is_orphan(NOW) && !ended.is_orphan(NOW) && !first.is_orphan(after(9)));
    let new = service();
    let again = cache.put(&place(1), 9, entry(&new, after(9)), NOW);
    assert!(again.principal.lease.stands(NOW) && !first.principal.lease.stands(NOW));
    assert!(!cache.put(&place(2), 9, entry(&new, after(9)), NOW).principal.lease.stands(NOW));
}

#[test]
fn the_cache_is_bounded_and_forgets_what_can_be_verified_again() {
    let (cache, service) = (Cache::new(SHARDS * 100 * (OVERHEAD + 500)), service());
    let (held, ended) = (cache.put(&place(0), 500, entry(&service, after(99)), NOW), place(1));
    cache.put(&ended, 500, entry(&service, after(99)), NOW).principal.lease.end();
    for token in 2..20_000 {
        cache.put(&place(token), 500, entry(&service, after(99)), NOW);
        assert!(cache.len() <= SHARDS * 100);
    }
    assert!(cache.len() >= SHARDS * 40, "{}", cache.len());
    assert!(Arc::ptr_eq(&cache.get(&place(0)).unwrap().principal, &held.principal), "in flight");
    assert!(cache.get(&ended).unwrap().principal.lease.ended(), "still refused");
    let weights: usize = cache.shards.iter().map(|shard| shard.read().unwrap().weight).sum();
    assert_eq!(weights, cache.len() * (OVERHEAD + 500));
    // Once they are over, nothing is kept for their sake.
    drop(held);
    for token in 20_000..40_000 {
        cache.put(&place(token), 500, entry(&service, after(199)), after(99));
    }
    assert!(cache.get(&place(0)).is_none() && cache.get(&ended).is_none());
}

#[test]
fn what_is_held_elsewhere_may_exceed_the_bound() {
    let (cache, service) = (Cache::new(SHARDS * 10 * OVERHEAD), service());
    let held: Vec<_> = (0..1000).map(|token| cache.put(&place(token), 0, entry(&service, after(9)), NOW)).collect();
    assert_eq!(cache.len(), 1000);
    drop(held);
    (1000..2000).for_each(|token| drop(cache.put(&place(token), 0, entry(&service, after(9)), NOW)));
    assert!(cache.len() <= SHARDS * 10);
}
