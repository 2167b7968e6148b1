use super::*;
use crate::tests::both;

fn ada() -> UserRecord {
    UserRecord {
        id: "usr_1".into(),
        tenant: "bank".into(),
        external_id: Some("ext-1".into()),
        user_name: "Ada".into(),
        display: None,
        active: None,
        created: Timestamp(1),
        modified: Timestamp(1),
        version: 1,
    }
}

fn bob() -> UserRecord {
    UserRecord { id: "usr_2".into(), external_id: Some("ext-2".into()), user_name: "bob".into(), ..ada() }
}

fn staff() -> GroupRecord {
    GroupRecord {
        id: "grp_1".into(),
        tenant: "bank".into(),
        external_id: None,
        display: "staff".into(),
        members: vec!["usr_1".into(), "usr_2".into()],
        created: Timestamp(1),
        modified: Timestamp(1),
        version: 1,
    }
}

/// Who may, and the groups: `ext-1+ staff`.
async fn said(store: &Store) -> Vec<String> {
    let members = store.directory_if_changed(&mut Revision::default()).await.unwrap().unwrap();
    let one =
        |m: &MemberRecord| format!("{}{} {}", m.external_id, if m.active { "+" } else { "-" }, m.groups.join(" "));
    members.iter().map(one).collect()
}

#[tokio::test]
async fn users_are_written_once_for_each_version() {
    let (stores, _folder) = both().await;
    for store in stores {
        assert_eq!(store.write_user(&ada()).await.unwrap(), Written::Done);
        assert_eq!(store.users("bank").await.unwrap(), [ada()]);
        // One name, in any case, and one id of the directory's, in one tenant.
        let same_name = UserRecord { user_name: "ADA".into(), ..bob() };
        let same_external = UserRecord { external_id: Some("ext-1".into()), ..bob() };
        assert_eq!(store.write_user(&same_name).await.unwrap(), Written::Taken);
        assert_eq!(store.write_user(&same_external).await.unwrap(), Written::Taken);
        let elsewhere = UserRecord { id: "usr_3".into(), tenant: "shop".into(), ..ada() };
        assert_eq!(store.write_user(&elsewhere).await.unwrap(), Written::Done);
        let second = UserRecord { active: Some(false), modified: Timestamp(2), version: 2, ..ada() };
        assert_eq!(store.write_user(&second).await.unwrap(), Written::Done);
        assert_eq!(store.write_user(&second).await.unwrap(), Written::Changed);
        assert_eq!(store.user("bank", "usr_1").await.unwrap(), Some(second.clone()));
        // Another tenant's are not there.
        assert_eq!(store.user("shop", "usr_1").await.unwrap(), None);
        let theirs = UserRecord { tenant: "shop".into(), version: 3, ..second };
        assert_eq!(store.write_user(&theirs).await.unwrap(), Written::Missing);
        assert_eq!(store.delete_user("shop", "usr_1", 2, Timestamp(3)).await.unwrap(), Written::Missing);
        assert_eq!(store.delete_user("bank", "usr_1", 1, Timestamp(3)).await.unwrap(), Written::Changed);
        assert_eq!(store.delete_user("bank", "usr_1", 2, Timestamp(3)).await.unwrap(), Written::Done);
        assert_eq!(store.delete_user("bank", "usr_1", 2, Timestamp(3)).await.unwrap(), Written::Missing);
        assert!(store.users("bank").await.unwrap().is_empty());
        let named = "SELECT COUNT(*) FROM directory_user WHERE tenant = 'bank' AND user_name <> ''";
        let named: i64 = sqlx::query_scalar(named).fetch_one(&store.pool).await.unwrap();
        assert_eq!(named, 0, "names of those who are gone are forgotten");
    }
}

#[tokio::test]
async fn groups_have_members_of_their_tenant_alone() {
    let (stores, _folder) = both().await;
    for store in stores {
        store.write_user(&ada()).await.unwrap();
        assert_eq!(store.write_group(&staff()).await.unwrap(), Written::NoMember);
        assert!(store.groups("bank").await.unwrap().is_empty(), "nothing of it is kept");
        store.write_user(&bob()).await.unwrap();
        assert_eq!(store.write_group(&staff()).await.unwrap(), Written::Done);
        assert_eq!(store.groups("bank").await.unwrap(), [staff()]);
        assert_eq!(store.group("bank", "grp_1").await.unwrap(), Some(staff()));
        assert_eq!(store.group("shop", "grp_1").await.unwrap(), None);
        let theirs = GroupRecord { id: "grp_2".into(), tenant: "shop".into(), ..staff() };
        assert_eq!(store.write_group(&theirs).await.unwrap(), Written::NoMember);
        let fewer = GroupRecord { members: vec!["usr_2".into()], version: 2, ..staff() };
        assert_eq!(store.write_group(&fewer).await.unwrap(), Written::Done);
        assert_eq!(store.write_group(&fewer).await.unwrap(), Written::Changed);
        // Who is deleted is in no group.
        store.delete_user("bank", "usr_2", 1, Timestamp(2)).await.unwrap();
        assert!(store.group("bank", "grp_1").await.unwrap().unwrap().members.is_empty());
        assert_eq!(store.delete_group("bank", "grp_1", 1).await.unwrap(), Written::Changed);
        assert_eq!(store.delete_group("bank", "grp_1", 2).await.unwrap(), Written::Done);
        assert_eq!(store.delete_group("bank", "grp_1", 2).await.unwrap(), Written::Missing);
    }
}

#[tokio::test]
async fn the_directory_says_who_may_and_in_which_groups() {
    let (stores, _folder) = both().await;
    for store in stores {
        store.write_user(&ada()).await.unwrap();
        store.write_user(&UserRecord { active: Some(false), ..bob() }).await.unwrap();
        store
            .write_user(&UserRecord { id: "usr_3".into(), external_id: None, user_name: "eve".into(), ..ada() })
            .await
            .unwrap();
        store.write_group(&staff()).await.unwrap();
        let night = GroupRecord {
            id: "grp_2".into(),
            external_id: Some("g-9".into()),
            members: vec!["usr_1".into()],
            ..staff()
        };
        store.write_group(&night).await.unwrap();
        assert_eq!(said(&store).await, ["ext-1+ g-9 staff", "ext-2- staff"]);
        // Who is deleted stays shut out, and is let in when made anew.
        store.delete_user("bank", "usr_1", 1, Timestamp(2)).await.unwrap();
        assert_eq!(said(&store).await, ["ext-1- ", "ext-2- staff"]);
        store.write_user(&UserRecord { id: "usr_4".into(), ..ada() }).await.unwrap();
        assert_eq!(said(&store).await, ["ext-1+ ", "ext-2- staff"]);
        let mut seen = Revision::default();
        assert!(store.directory_if_changed(&mut seen).await.unwrap().is_some());
        assert!(store.directory_if_changed(&mut seen).await.unwrap().is_none());
    }
}
