use std::time::Duration;

use countersign_bucket::Mode;

use super::{Home, whole};

fn archive(more: &str) -> String {
    whole() + &format!("[audit.archive]\nregion = \"eu-central-1\"\n{more}\n")
}

#[test]
fn a_log_is_copied_to_where_nobody_else_reads_and_under_a_name_of_its_own() {
    let home = Home::new();
    let config = home.load(&archive("bucket = \"evidence\"")).map_err(crate::cmd::Problems).unwrap();
    let usual = config.archive.unwrap();
    assert_eq!(usual.endpoint, "https://s3.eu-central-1.amazonaws.com");
    assert_eq!(
        (usual.root.as_str(), usual.every, usual.lock.is_none()),
        ("countersign", Duration::from_secs(60), true)
    );

    let more =
        "bucket = \"e\"\nprefix = \"a/b\"\nendpoint = \"http://127.0.0.1:9000/\"\n[audit.archive.lock]\ndays = 400";
    let other = home.load(&archive(more)).map_err(crate::cmd::Problems).unwrap().archive.unwrap();
    assert_eq!((other.root.as_str(), other.endpoint.as_str()), ("a/b/countersign", "http://127.0.0.1:9000"));
    let lock = other.lock.unwrap();
    assert_eq!((lock.mode, lock.days.as_secs(), lock.every.as_secs()), (Mode::Compliance, 400 * 86_400, 3_600));
}

#[test]
fn a_place_that_is_none_is_refused() {
    let home = Home::new();
    for (more, what) in [
        ("bucket = \"\"", "is not a name"),
        ("bucket = \"a/b\"", "is not a name"),
        ("bucket = \"e\"\nprefix = \"/a\"", "cannot stand"),
        ("bucket = \"e\"\nprefix = \"a//b\"", "cannot stand"),
        ("bucket = \"e\"\nprefix = \"..\"", "cannot stand"),
        ("bucket = \"e\"\nprefix = \"a b\"", "cannot stand"),
        ("bucket = \"e\"\nendpoint = \"http://s3.example\"", "not an address"),
        ("bucket = \"e\"\nendpoint = \"https://s3.example/path\"", "not an address"),
        ("bucket = \"e\"\nseconds = 0", "out of range"),
        ("bucket = \"e\"\nca = \"policy.cedar\"", "no certificates"),
        ("bucket = \"e\"\n[audit.archive.lock]\ndays = 0", "out of range"),
        ("bucket = \"e\"\n[audit.archive.lock]\ndays = 7\nminutes = 1441", "out of range"),
    ] {
        let problems = home.problems(&archive(more));
        assert!(problems.iter().any(|p| p.what.contains(what)), "{more}: {problems:?}");
    }
}
