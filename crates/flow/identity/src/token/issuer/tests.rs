use countersign_core::principal::PrincipalKind;

use super::{super::testing::issuer, *};

fn refused(change: impl FnOnce(&mut Issuer)) -> &'static str {
    let mut issuer = issuer();
    change(&mut issuer);
    check(&[issuer]).unwrap_err().why
}

fn bearer(groups: Groups) -> Subject {
    Subject {
        id: "u".into(),
        kind: PrincipalKind::Person,
        client: "c".into(),
        scopes: vec!["ask".into(), "model:small".into()],
        roles: vec!["Teller".into()],
        groups,
        token: None,
    }
}

fn rule(claim: RoleClaim, value: &str, role: &str) -> RoleRule {
    RoleRule { claim, value: value.into(), role: role.into() }
}

#[test]
fn an_issuer_that_will_not_do_is_named() {
    assert_eq!(check(&[issuer()]), Ok(()));
    for name in ["", "Bank", "a/b", "a:b", "a b", "a.b", "ä", &"a".repeat(33)] {
        assert!(refused(|issuer| issuer.name = name.into()).starts_with("the name"), "{name}");
    }
    assert_eq!(refused(|issuer| issuer.audiences.clear()), "an audience is needed");
    assert_eq!(refused(|issuer| issuer.audiences.push("".into())), "an audience is needed");
    assert_eq!(refused(|issuer| issuer.algorithms.clear()), "an algorithm is needed");
    assert_eq!(refused(|issuer| issuer.leeway = Duration::from_secs(61)), "the leeway is more than a minute");
    assert_eq!(refused(|issuer| issuer.max_lifetime = Duration::ZERO), "no token could live");
    assert_eq!(refused(|issuer| issuer.url = "".into()), "the URL is malformed");
    assert_eq!(refused(|issuer| issuer.url = "https://a b".into()), "the URL is malformed");
    assert_eq!(refused(|issuer| issuer.profile = Profile::Entra), "the URL names no tenant of Entra ID");
    assert!(refused(|issuer| issuer.keys.pause = Duration::ZERO).contains("pause"));
    assert!(refused(|issuer| issuer.keys.max_age = issuer.keys.refresh).contains("too old"));
    let shown = check(&[Issuer { algorithms: vec![], ..issuer() }]).unwrap_err().to_string();
    assert_eq!(shown, "issuer `bank`: an algorithm is needed");
}

#[test]
fn two_issuers_share_neither_name_nor_url() {
    let other = || Issuer { name: "other".into(), url: "https://other.example".into(), ..issuer() };
    assert_eq!(check(&[issuer(), other()]), Ok(()));
    assert_eq!(
        check(&[issuer(), Issuer { name: "bank".into(), ..other() }]).unwrap_err().why,
        "the name is there twice"
    );
    let same = Issuer { url: issuer().url, ..other() };
    assert_eq!(check(&[issuer(), same]).unwrap_err().why, "another issuer has the same URL");
}

#[test]
fn roles_are_what_rules_make_of_claims_and_nothing_else() {
    let listed = Groups::Listed(vec!["g-1".into(), "Teller".into()]);
    let roles = |rules: Vec<RoleRule>| {
        let roles = Issuer { roles: rules, ..issuer() }.roles_of(&bearer(listed.clone())).unwrap();
        roles.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(roles(vec![]).is_empty(), "an issuer's role is no role here");
    let rules = vec![
        rule(RoleClaim::Role, "Teller", "teller"),
        rule(RoleClaim::Group, "g-1", "staff"),
        rule(RoleClaim::Scope, "ask", "asker"),
        rule(RoleClaim::Scope, "ask", "asker"),
        rule(RoleClaim::Role, "g-1", "no"),
        rule(RoleClaim::Role, "teller", "no"),
        rule(RoleClaim::Group, "g", "no"),
        rule(RoleClaim::Scope, "Teller", "no"),
    ];
    assert_eq!(roles(rules), ["asker", "staff", "teller"]);
}

#[test]
fn without_the_groups_no_rule_about_groups_is_passed_over() {
    let of = |rules: Vec<RoleRule>| Issuer { roles: rules, ..issuer() }.roles_of(&bearer(Groups::Overage));
    assert!(of(vec![rule(RoleClaim::Group, "g", "staff")]).is_err());
    assert!(of(vec![rule(RoleClaim::Role, "Teller", "teller"), rule(RoleClaim::Group, "g", "staff")]).is_err());
    assert_eq!(
        of(vec![rule(RoleClaim::Role, "Teller", "teller")]).unwrap().len(),
        1,
        "whoever reads no groups may go on"
    );
}
