use super::*;

fn postgres(url: &str) -> Postgres {
    Postgres { url: url.into(), password: Some(Secret::new("pa/ss:w@rd".into())), ca: Some("/ca.pem".into()) }
}

#[test]
fn only_this_machine_is_spoken_to_in_the_clear() {
    for (host, mode) in [
        ("127.0.0.1:5432", "disable"),
        ("[::1]:5432", "disable"),
        ("%2Fvar%2Frun%2Fpostgresql", "disable"),
        ("localhost", "verify-full"),
        ("127.0.0.1.example.com", "verify-full"),
        ("10.0.0.7:5432", "verify-full"),
        ("[2001:db8::1]:5432", "verify-full"),
        ("db.example.com:5433", "verify-full"),
    ] {
        let url = postgres(&format!("postgres://me@{host}/mine")).options().unwrap().database_url;
        let said: Vec<_> = url.query_pairs().filter(|(name, _)| name.starts_with("ssl")).collect();
        assert!(said.contains(&("sslmode".into(), mode.into())), "{host}: {said:?}");
        assert_eq!(said.contains(&("sslrootcert".into(), "/ca.pem".into())), mode == "verify-full", "{host}");
    }
}

#[test]
fn an_address_says_all_it_must_and_nothing_else() {
    for wrong in [
        "mysql://me@db/mine",
        "postgres://db/mine",
        "postgres://me@db",
        "postgres://me@db/",
        "postgres://@db/mine",
        "postgres://me@/mine",
        "postgres://me@db/mine/more",
        "postgres://me:secret@db/mine",
        "postgres://me@db/mine?sslmode=disable",
        "postgres://me@db/mine#x",
    ] {
        let refused = postgres(wrong).check();
        assert!(matches!(refused, Err(StoreError::Address(_))), "{wrong}");
    }
    assert!(postgres("postgresql://me@db:5433/mine").check().is_ok());
}

#[test]
fn the_password_is_not_shown() {
    let postgres = postgres("postgres://me@db/mine");
    assert!(!format!("{postgres:?}").contains("w@rd"));
}
