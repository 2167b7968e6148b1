use proptest::prelude::*;

use super::*;

#[test]
fn versions_that_are_hidden_are_told_of_too() {
    let xml = br#"<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>evidence</Name><Prefix>a</Prefix>
<DeleteMarker><Key>a/1</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest><Owner><ID>x</ID></Owner></DeleteMarker>
<Version><Key>a/1</Key><VersionId>v2</VersionId><IsLatest>false</IsLatest><ETag>"e"</ETag><Size>3</Size></Version>
<DeleteMarker><Key>a/2</Key><VersionId>v5</VersionId><IsLatest>true</IsLatest></DeleteMarker>
<Version><Key>a/&amp;</Key><VersionId>null</VersionId><IsLatest>true</IsLatest></Version>
<IsTruncated>true</IsTruncated><NextKeyMarker>a/2</NextKeyMarker><NextVersionIdMarker>v5</NextVersionIdMarker>
</ListVersionsResult>"#;
    let page = versions(xml).unwrap();
    let told: Vec<_> =
        page.versions.iter().map(|v| (v.name.as_str(), v.id.as_str(), v.is_newest, v.is_removal)).collect();
    assert_eq!(
        told,
        [
            ("a/1", "v2", false, false),
            ("a/&", "null", true, false),
            ("a/1", "v3", true, true),
            ("a/2", "v5", true, true)
        ]
    );
    assert_eq!(page.next, Some(("a/2".to_owned(), "v5".to_owned())));
}

/// A list that says it goes on, and not where, is not taken for a whole one.
#[test]
fn a_list_that_breaks_off_is_none() {
    assert_eq!(versions(b"<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>"), None);
    assert_eq!(versions(b"<ListVersionsResult><Version><Key>a</Key></Version></ListVersionsResult>"), None);
    assert_eq!(versions(b"<ListVersionsResult><Version>"), None);
    assert_eq!(versions(b"<html><body/></html>"), None);
    assert_eq!(versions(b"<ListVersionsResult/>"), Some(Page::default()));
}

#[test]
fn locks_are_read() {
    let on = |rule: &str| {
        let open = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>";
        locking(format!("{open}{rule}</ObjectLockConfiguration>").as_bytes()).unwrap()
    };
    assert_eq!(on(""), Locking { is_on: true, default: None });
    let rule = "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>7</Days></DefaultRetention></Rule>";
    assert_eq!(on(rule).default.as_deref(), Some("COMPLIANCE, 7 days"));
    assert_eq!(locking(b"<ObjectLockConfiguration/>"), Some(Locking::default()));
    assert_eq!(locking(b"<html>"), None);
}

#[test]
fn an_error_is_named_and_nothing_else_of_it_is_said() {
    let xml = b"<Error><Code>AccessDenied</Code><Message>the key AKIA...</Message></Error>";
    assert_eq!(error(xml), "AccessDenied");
    assert_eq!(error(b"<Error><Code>two words\n</Code></Error>"), "");
    assert_eq!(error(b"<html>down</html>"), "");
}

proptest! {
    #[test]
    fn reading_never_panics(xml in "(<[A-Za-z/]{1,20}>|&[a-z#0-9x]{0,6};|[ -~]{0,9}){0,20}") {
        let _ = (versions(xml.as_bytes()), locking(xml.as_bytes()), error(xml.as_bytes()));
    }
}
