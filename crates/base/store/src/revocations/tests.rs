use super::*;
use crate::tests::both;

fn revocation(n: u8) -> RevocationRecord {
    RevocationRecord {
        id: format!("rev_{n:02}").into(),
        target: "role:teller".into(),
        before: Timestamp(1000),
        until: None,
        at: Timestamp(u64::from(n)),
        by: "default/admin".into(),
        reason: "it's a reason; -- not SQL".into(),
        lifted: None,
    }
}

#[tokio::test]
async fn what_is_in_force_is_read_after_each_change_and_only_then() {
    let (stores, _folder) = both().await;
    for store in stores {
        let (mut seen, now) = (Revision::default(), Timestamp(10));
        assert_eq!(store.revocations_if_changed(&mut seen, now).await.unwrap(), Some(vec![]));
        assert_eq!(store.revocations_if_changed(&mut seen, now).await.unwrap(), None);
        store
            .insert_revocation(&RevocationRecord { before: Timestamp::MAX, ..revocation(1) }, &mut Revision::default())
            .await
            .unwrap();
        let of = |target: &str, n| RevocationRecord { target: target.into(), ..revocation(n) };
        let over = RevocationRecord { until: Some(now), ..of("role:a", 2) };
        let lasts = RevocationRecord { until: Some(Timestamp(11)), ..of("role:b", 3) };
        for one in [&over, &lasts, &of("role:teller", 4)] {
            store.insert_revocation(one, &mut Revision::default()).await.unwrap();
        }
        // Each target once, with the latest moment.
        let (b, teller) = (("role:b".to_owned(), Timestamp(1000)), ("role:teller".to_owned(), Timestamp::MAX));
        assert_eq!(store.revocations_if_changed(&mut seen, now).await.unwrap(), Some(vec![b.clone(), teller]));
        store.lift_revocation("rev_01", "default/other", Timestamp(9)).await.unwrap();
        let teller = ("role:teller".to_owned(), Timestamp(1000));
        assert_eq!(store.revocations_if_changed(&mut seen, now).await.unwrap(), Some(vec![b, teller]));
        // What changed nothing is no change.
        store.lift_revocation("rev_01", "default/other", Timestamp(9)).await.unwrap();
        assert!(matches!(
            store.insert_revocation(&revocation(1), &mut Revision::default()).await,
            Err(StoreError::Exists)
        ));
        assert_eq!(store.revocations_if_changed(&mut seen, now).await.unwrap(), None);
    }
}

#[tokio::test]
async fn it_is_lifted_once_and_keeps_who_lifted_it_first() {
    let (stores, _folder) = both().await;
    for store in stores {
        store.insert_revocation(&revocation(1), &mut Revision::default()).await.unwrap();
        assert_eq!(store.lift_revocation("rev_02", "x/y", Timestamp(5)).await.unwrap(), None);
        let lifted = RevocationRecord { lifted: Some((Timestamp(5), "x/y".into())), ..revocation(1) };
        assert_eq!(store.lift_revocation("rev_01", "x/y", Timestamp(5)).await.unwrap(), Some((lifted.clone(), true)));
        assert_eq!(store.lift_revocation("rev_01", "a/b", Timestamp(6)).await.unwrap(), Some((lifted.clone(), false)));
        assert_eq!(store.revocations(None, 9).await.unwrap(), [lifted]);
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_gaps_whatever_is_added_meanwhile() {
    let (stores, _folder) = both().await;
    for store in stores {
        for n in 0..5 {
            store.insert_revocation(&revocation(n), &mut Revision::default()).await.unwrap();
        }
        let ids = |page: Vec<RevocationRecord>| page.iter().map(|r| r.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(store.revocations(None, 2).await.unwrap()), ["rev_04", "rev_03"]);
        store.insert_revocation(&revocation(9), &mut Revision::default()).await.unwrap();
        assert_eq!(ids(store.revocations(Some("rev_03"), 2).await.unwrap()), ["rev_02", "rev_01"]);
        assert_eq!(ids(store.revocations(Some("rev_01"), 2).await.unwrap()), ["rev_00"]);
        assert_eq!(ids(store.revocations(Some("rev_00"), 2).await.unwrap()), [""; 0]);
    }
}

#[tokio::test]
async fn each_is_numbered_in_the_order_in_which_it_was_made() {
    let (stores, _folder) = both().await;
    for store in stores {
        // Another node's clock is behind: its id sorts first, and it still comes last.
        for n in [5, 7, 2] {
            store.insert_revocation(&revocation(n), &mut Revision::default()).await.unwrap();
        }
        let all = store.revocations_since(0, 9).await.unwrap();
        assert_eq!(all.iter().map(|(_, r)| &*r.id).collect::<Vec<_>>(), ["rev_05", "rev_07", "rev_02"]);
        let rest = store.revocations_since(all[1].0, 9).await.unwrap();
        assert_eq!(rest.iter().map(|(_, r)| &*r.id).collect::<Vec<_>>(), ["rev_02"]);
        assert_eq!(store.revocations_since(0, 1).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn who_adds_one_has_seen_it_unless_another_came_first() {
    let (stores, _folder) = both().await;
    for store in stores {
        let (mut own, mut other) = (Revision::default(), Revision::default());
        store.revocations_if_changed(&mut own, Timestamp(0)).await.unwrap();
        store.insert_revocation(&revocation(1), &mut own).await.unwrap();
        assert_eq!(store.revocations_if_changed(&mut own, Timestamp(0)).await.unwrap(), None);
        store.insert_revocation(&revocation(2), &mut other).await.unwrap();
        store.insert_revocation(&revocation(3), &mut own).await.unwrap();
        assert!(store.revocations_if_changed(&mut own, Timestamp(0)).await.unwrap().is_some());
    }
}
