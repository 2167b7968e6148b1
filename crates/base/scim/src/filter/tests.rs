use proptest::prelude::*;
use serde_json::json;

use super::*;

fn user() -> Resource {
    let Value::Object(user) = json!({
        "id": "usr_1",
        "userName": "Ada.Lovelace",
        "externalId": "0a-1B",
        "active": true,
        "groups": [{ "value": "grp_1", "display": "Staff" }, { "value": "grp_2", "display": "Night" }],
        "meta": { "lastModified": "2026-11-22T10:00:00Z" },
    }) else {
        unreachable!()
    };
    user
}

fn fits(text: &str) -> bool {
    Filter::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}")).fits(Kind::User, &user())
}

#[test]
fn filters_of_every_form() {
    for yes in [
        r#"userName eq "ada.lovelace""#,
        r#"USERNAME EQ "ADA.LOVELACE""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ada""#,
        r#"userName co ".love" and active eq true"#,
        r#"userName ew "lace""#,
        r#"externalId eq "0a-1B""#,
        r#"displayName ne "x""#,
        r#"not (displayName pr)"#,
        r#"active eq True"#,
        r#"groups pr"#,
        r#"groups eq "grp_2""#,
        r#"groups.value eq "grp_1""#,
        r#"groups[value eq "grp_1" and display eq "Staff"]"#,
        r#"meta.lastModified gt "2026-01-01T00:00:00Z" and meta.lastModified le "2026-11-22T10:00:00Z""#,
        r#"active eq false or (userName pr and (id eq "usr_1"))"#,
        r#"id eq "usr_1" or id eq "x" and id eq "y""#,
        r#"userName ne "a \" ) and b""#,
    ] {
        assert!(fits(yes), "{yes}");
    }
    for no in [
        r#"externalId eq "0A-1B""#,
        r#"active eq "true""#,
        r#"active gt false"#,
        r#"groups[value eq "grp_1" and display eq "Night"]"#,
        r#"displayName pr"#,
        r#"unheardOf eq "x""#,
        r#"userName eq null"#,
        r#"userName eq 5"#,
        r#"not (userName pr)"#,
        r#"(id eq "usr_1" or id eq "x") and id eq "y""#,
    ] {
        assert!(!fits(no), "{no}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    let deep = format!("{}userName pr{}", "(".repeat(500), ")".repeat(500));
    let long = format!("userName eq \"{}\"", "x".repeat(2_000));
    for bad in [
        "",
        " ",
        "userName",
        "userName eq",
        "userName eq x",
        "userName is \"x\"",
        "eq \"x\"",
        "userName eq \"x",
        "userName pr and",
        "or userName pr",
        "(userName pr",
        "userName pr)",
        "groups[value eq \"x\"",
        "groups[]",
        "not userName pr",
        "userName eq \"x\" y",
        "a.b.c pr",
        "1a pr",
        "user name pr",
        "x:userName pr",
        "userName eq \"\\q\"",
        "userName eq [1]",
        &deep,
        &long,
    ] {
        assert!(matches!(Filter::parse(bad), Err(Fault::Filter(_))), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}|[a-z.:$ ()\\[\\]\"\\\\]{0,60}|((userName|not|and|or|eq|pr|\\(|\\)|\"x\"|\\[|\\]) ){0,20}") {
        if let Ok(filter) = Filter::parse(&text) {
            let _ = filter.fits(Kind::User, &user());
        }
    }
}
