use countersign_core::{Groups, principal::PrincipalKind};
use countersign_wire::json::Doc;

use super::{
    super::{
        claims::LIMITS,
        testing::{Object, TENANT, claims},
    },
    *,
};

const BAD: fn(&'static str) -> Fault = Fault::Bad;

fn read(profile: Profile, typ: Option<&str>, claims: &Object, url: &str) -> Result<Subject, Fault> {
    let text = claims.text();
    profile.read(typ, Doc::read(text.as_bytes(), &LIMITS).unwrap().root(), url)
}

fn names(list: &[std::sync::Arc<str>]) -> Vec<&str> {
    list.iter().map(|name| &**name).collect()
}

mod rfc9068 {
    use super::*;

    fn read(typ: Option<&str>, claims: &Object) -> Result<Subject, Fault> {
        super::read(Profile::Rfc9068, typ, claims, "")
    }

    #[test]
    fn a_person_and_a_service_are_told_apart() {
        let person = read(Some("at+jwt"), &claims().with("roles", "[\"teller\"]").with("groups", "[\"g\"]")).unwrap();
        assert_eq!((&*person.id, &*person.client, person.kind), ("u-4711", "notebook", PrincipalKind::Person));
        assert_eq!((names(&person.scopes), names(&person.roles)), (vec!["ask", "model:small"], vec!["teller"]));
        assert_eq!(person.groups, Groups::Listed(vec!["g".into()]));
        let service = read(Some("application/at+jwt"), &claims().with("sub", "\"notebook\"")).unwrap();
        assert_eq!(service.kind, PrincipalKind::Service);
    }

    #[test]
    fn the_type_is_at_jwt() {
        for typ in
            [None, Some("JWT"), Some("jwt"), Some(""), Some("at+JWT"), Some("AT+JWT"), Some("id+jwt"), Some("dpop+jwt")]
        {
            assert_eq!(read(typ, &claims()), Err(BAD("the token's type is not at+jwt")), "{typ:?}");
        }
    }

    #[test]
    fn what_the_specification_requires_is_required() {
        for name in ["sub", "client_id", "jti"] {
            assert!(read(Some("at+jwt"), &claims().without(name)).is_err(), "{name}");
            assert!(read(Some("at+jwt"), &claims().with(name, "7")).is_err(), "{name}");
        }
        assert!(read(Some("at+jwt"), &claims().with("scope", "[\"ask\"]")).is_err());
        assert!(read(Some("at+jwt"), &claims().with("groups", "\"g\"")).is_err());
    }
}

mod entra {
    use super::*;

    fn v2() -> String {
        format!("https://login.microsoftonline.com/{TENANT}/v2.0")
    }

    fn v1() -> String {
        format!("https://sts.windows.net/{TENANT}/")
    }

    fn person() -> Object {
        claims()
            .without("client_id")
            .without("scope")
            .without("jti")
            .with("tid", format!("{TENANT:?}"))
            .with("oid", "\"0a1b2c3d-0000-4000-8000-0123456789ab\"")
            .with("sub", "\"pairwise-AbC\"")
            .with("uti", "\"u1\"")
            .with("ver", "\"2.0\"")
            .with("azp", "\"c1d2e3f4-0000-4000-8000-0123456789ab\"")
            .with("scp", "\"access_as_user model:small\"")
    }

    fn read(claims: &Object) -> Result<Subject, Fault> {
        super::read(Profile::Entra, Some("JWT"), claims, &v2())
    }

    #[test]
    fn version_two_names_object_and_application() {
        let who = read(&person().with("roles", "[\"Teller\"]").with("groups", "[\"g-1\"]")).unwrap();
        assert_eq!((&*who.id, who.kind), ("0a1b2c3d-0000-4000-8000-0123456789ab", PrincipalKind::Person));
        assert_eq!(&*who.client, "c1d2e3f4-0000-4000-8000-0123456789ab");
        assert_eq!((names(&who.scopes), names(&who.roles)), (vec!["access_as_user", "model:small"], vec!["Teller"]));
        assert_eq!((who.groups, who.token.as_deref()), (Groups::Listed(vec!["g-1".into()]), Some("u1")));
    }

    #[test]
    fn version_one_has_its_own_names() {
        let claims = person().with("ver", "\"1.0\"").without("azp").with("appid", "\"c1\"");
        let who = super::read(Profile::Entra, Some("JWT"), &claims, &v1()).unwrap();
        assert_eq!(&*who.client, "c1");
        // Neither version passes for the other.
        assert_eq!(
            super::read(Profile::Entra, Some("JWT"), &claims, &v2()),
            Err(BAD("the token is of another version"))
        );
        assert_eq!(
            super::read(Profile::Entra, Some("JWT"), &person(), &v1()),
            Err(BAD("the token is of another version"))
        );
        let mixed = claims.clone().without("appid").with("azp", "\"c1\"");
        assert!(super::read(Profile::Entra, Some("JWT"), &mixed, &v1()).is_err());
        assert!(read(&person().with("ver", "2.0")).is_err(), "a text in both");
    }

    #[test]
    fn an_application_alone_is_a_service() {
        let app = || person().without("scp");
        let who = read(&app().with("roles", "[\"Batch\"]")).unwrap();
        assert_eq!((who.kind, names(&who.roles), who.scopes.len()), (PrincipalKind::Service, vec!["Batch"], 0));
        assert_eq!(read(&app().with("idtyp", "\"app\"")).unwrap().kind, PrincipalKind::Service);
        assert_eq!(read(&app()), Err(BAD("the token grants nothing")));
        assert_eq!(read(&app().with("idtyp", "\"user\"")), Err(BAD("the token grants nothing")));
        assert_eq!(
            read(&person().with("idtyp", "\"app\"")),
            Err(BAD("the token is for an application and for a person"))
        );
        assert_eq!(read(&person().with("idtyp", "\"user\"")).unwrap().kind, PrincipalKind::Person);
    }

    #[test]
    fn groups_that_did_not_fit_are_not_no_groups() {
        for (name, value) in [
            ("_claim_names", "{\"groups\":\"src1\"}"),
            ("hasgroups", "true"),
            ("hasgroups", "\"true\""),
            ("hasgroups", "1"),
        ] {
            let who = read(&person().with(name, value)).unwrap();
            assert_eq!(who.groups, Groups::Overage, "{name} {value}");
            // Not even when some are listed beside it.
            assert_eq!(read(&person().with(name, value).with("groups", "[\"g\"]")).unwrap().groups, Groups::Overage);
        }
        for (name, value) in [("_claim_names", "{}"), ("hasgroups", "false"), ("hasgroups", "\"false\"")] {
            assert_eq!(read(&person().with(name, value)).unwrap().groups, Groups::Listed(vec![]), "{name} {value}");
        }
        assert!(read(&person().with("_claim_names", "\"groups\"")).is_err());
        assert!(read(&person().with("groups", "\"g\"")).is_err());
    }

    #[test]
    fn another_tenants_token_is_refused() {
        let other = TENANT.replace('5', "6");
        for tid in [
            format!("{other:?}"),
            format!("{:?}", TENANT.to_uppercase()),
            "\"common\"".into(),
            "\"\"".into(),
            "null".into(),
        ] {
            assert!(read(&person().with("tid", tid.clone())).is_err(), "{tid}");
        }
        assert!(read(&person().without("tid")).is_err());
    }

    #[test]
    fn an_id_token_is_refused() {
        // Version 2 has no `azp`, version 1 no `appid`; roles and groups are there all the same.
        let id = person().without("azp").without("scp").with("roles", "[\"Teller\"]");
        assert!(read(&id).is_err());
        assert!(read(&id.with("aud", "\"c1\"")).is_err());
        for typ in [None, Some("jwt"), Some("id+jwt"), Some("pop")] {
            assert!(super::read(Profile::Entra, typ, &person(), &v2()).is_err(), "{typ:?}");
        }
        assert!(read(&person().without("oid")).is_err(), "`sub` differs from application to application");
    }

    #[test]
    fn an_issuer_is_one_tenant() {
        assert!(Profile::Entra.fits(&v1()) && Profile::Entra.fits(&v2()));
        for url in [
            "https://login.microsoftonline.com/common/v2.0",
            "https://login.microsoftonline.com/organizations/v2.0",
            "https://login.microsoftonline.com/{tenantid}/v2.0",
            "https://login.microsoftonline.com/v2.0",
            "https://sts.windows.net/",
            "",
        ] {
            assert!(!Profile::Entra.fits(url), "{url}");
        }
        assert!(!Profile::Entra.fits(&v1()[..v1().len() - 1]));
        assert!(!Profile::Entra.fits(&v2().replace('5', "G")));
    }

    #[test]
    fn a_key_for_one_tenant_is_not_for_another() {
        let is_for = |named: &str| Profile::Entra.key_is_for(named, &v2());
        assert!(is_for("https://login.microsoftonline.com/{tenantid}/v2.0") && is_for(&v2()) && is_for(&v1()));
        assert!(!is_for(&v2().replace('5', "6")) && !is_for("https://login.microsoftonline.com/common/v2.0"));
        assert!(!is_for("") && !is_for("{tenantid}"));
    }
}

mod okta {
    use super::*;

    fn person() -> Object {
        claims()
            .without("client_id")
            .without("scope")
            .with("ver", "1")
            .with("cid", "\"0oaNotebook\"")
            .with("uid", "\"00uAnn\"")
            .with("sub", "\"ann@bank.example\"")
            .with("jti", "\"AT.1\"")
            .with("scp", "[\"openid\",\"model:small\"]")
    }

    fn read(claims: &Object) -> Result<Subject, Fault> {
        super::read(Profile::Okta, None, claims, "")
    }

    #[test]
    fn a_person_is_a_uid_and_not_an_address() {
        let who = read(&person().with("groups", "[\"Everyone\"]")).unwrap();
        assert_eq!((&*who.id, &*who.client, who.kind), ("00uAnn", "0oaNotebook", PrincipalKind::Person));
        assert_eq!((names(&who.scopes), who.token.as_deref()), (vec!["openid", "model:small"], Some("AT.1")));
        assert_eq!(who.groups, Groups::Listed(vec!["Everyone".into()]));
        assert!(read(&person().without("uid")).is_err(), "the log-in alone names nobody");
        assert!(read(&person().with("uid", "null")).is_err() && read(&person().with("uid", "\"\"")).is_err());
    }

    #[test]
    fn a_service_is_its_client() {
        let service = || person().without("uid").with("sub", "\"0oaNotebook\"");
        let who = read(&service()).unwrap();
        assert_eq!((&*who.id, who.kind), ("0oaNotebook", PrincipalKind::Service));
        assert!(read(&service().with("sub", "\"0oaOther\"")).is_err());
    }

    #[test]
    fn the_shape_is_that_of_a_custom_server() {
        for (name, value) in [
            ("ver", "\"1\""),
            ("ver", "2"),
            ("ver", "1.0"),
            ("ver", "null"),
            ("scp", "\"openid\""),
            ("scp", "{}"),
            ("cid", "null"),
            ("groups", "\"Everyone\""),
            ("jti", "1"),
        ] {
            assert!(read(&person().with(name, value)).is_err(), "{name} {value}");
        }
        for name in ["ver", "scp", "cid", "jti"] {
            assert!(read(&person().without(name)).is_err(), "{name}");
        }
        for (typ, ok) in [
            (Some("JWT"), true),
            (Some("at+jwt"), true),
            (Some("application/okta-internal-at+jwt"), false),
            (Some("id+jwt"), false),
            (Some(""), false),
        ] {
            assert_eq!(super::read(Profile::Okta, typ, &person(), "").is_ok(), ok, "{typ:?}");
        }
    }
}

#[test]
fn a_key_names_its_issuer_exactly() {
    for profile in [Profile::Rfc9068, Profile::Okta] {
        assert!(profile.key_is_for("https://a", "https://a") && !profile.key_is_for("https://a/", "https://a"));
        assert!(profile.fits("anything"));
    }
}

mod spiffe {
    use super::*;

    const DOMAIN: &str = "spiffe://bank.example";

    fn workload() -> Object {
        claims()
            .without("iss")
            .without("client_id")
            .without("scope")
            .without("jti")
            .with("sub", "\"spiffe://bank.example/batch/7\"")
    }

    #[test]
    fn a_workload_is_its_name() {
        for typ in [None, Some("JWT"), Some("JOSE")] {
            let who = super::read(Profile::Spiffe, typ, &workload(), DOMAIN).unwrap();
            assert_eq!((&*who.id, who.kind), ("spiffe://bank.example/batch/7", PrincipalKind::Service));
            assert!(who.scopes.is_empty() && who.roles.is_empty());
        }
        assert!(super::read(Profile::Spiffe, Some("at+jwt"), &workload(), DOMAIN).is_err());
    }

    #[test]
    fn a_workload_is_of_its_trust_domain_alone() {
        for sub in [
            "spiffe://evil.example/batch",
            "spiffe://bank.example.evil/batch",
            "spiffe://bank.example",
            "spiffe://bank.example/",
            "spiffe://bank.example/../x",
            "spiffe://bank.example@evil/x",
            "SPIFFE://bank.example/x",
            "https://bank.example/x",
            "batch",
            "",
        ] {
            let claims = workload().with("sub", format!("{sub:?}"));
            assert!(super::read(Profile::Spiffe, None, &claims, DOMAIN).is_err(), "{sub}");
            let text = claims.text();
            assert!(!Profile::Spiffe.claims_it(Doc::read(text.as_bytes(), &LIMITS).unwrap().root(), DOMAIN), "{sub}");
        }
        let text = workload().text();
        let doc = Doc::read(text.as_bytes(), &LIMITS).unwrap();
        assert!(Profile::Spiffe.claims_it(doc.root(), DOMAIN));
        for other in [Profile::Rfc9068, Profile::Entra, Profile::Okta] {
            assert!(!other.claims_it(doc.root(), DOMAIN), "only a trust domain is named by a subject");
        }
        for url in ["spiffe://", "spiffe://Bank", "spiffe://bank/x", "https://bank.example", "bank.example", ""] {
            assert!(!Profile::Spiffe.fits(url), "{url}");
        }
    }
}
