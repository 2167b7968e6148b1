use countersign_audit::{note::key_text, witness::Cosigner};
use countersign_seal::KeyRing;

use super::{Home, whole};
use crate::export::{Form, To};

/// The keys of a log and of its witness, as `doctor` prints them.
fn keys(node: &str) -> (String, String) {
    let ring = KeyRing::from_bytes(KeyRing::generate().unwrap()).unwrap();
    let of = |name: &str| ring.verifiers(name).unwrap().remove(0);
    let witness = format!("{node}/witness");
    (key_text(node, &of(node)), Cosigner::new(witness.clone(), of(&witness)).text())
}

#[test]
fn exports_go_where_nobody_else_reads_and_in_words_that_way_takes() {
    let home = Home::new();
    let export = |form: &str, to: &str, more: &str| {
        whole() + &format!("[[export]]\nname = \"siem\"\nform = {form:?}\nto = {to:?}\n{more}")
    };
    let clear = "cleartext = \"i-accept-cleartext-on-loopback\"\n";
    for (form, to, more) in [
        ("cef", "tls://siem.example:6514", ""),
        ("ocsf", "tls://siem.example:6514", "ca = \"chain.pem\"\n"),
        ("ocsf", "https://siem.example/in", ""),
        ("otlp", "https://siem.example/v1/logs", "token = { file = \"provider.key\" }\n"),
        ("cef", "tcp://127.0.0.1:514", clear),
        ("otlp", "http://127.0.0.1:4318/v1/logs", clear),
    ] {
        let config = home.load(&export(form, to, more)).map_err(crate::cmd::Problems).unwrap();
        let way = &config.exports[0];
        assert_eq!(matches!(way.to, To::Syslog(_)), to.starts_with('t'), "{to}");
        assert_eq!(way.form == Form::Cef, form == "cef");
    }
    for (form, to, more, what) in [
        ("cef", "https://siem.example/in", "", "goes by syslog"),
        ("otlp", "tls://siem.example:4317", "", "is posted"),
        ("cef", "tcp://127.0.0.1:514", "", "nowhere"),
        ("cef", "tcp://10.0.0.1:514", clear, "nowhere"),
        ("otlp", "http://10.0.0.1:4318/v1/logs", clear, "nowhere"),
        ("cef", "siem.example:514", "", "goes by syslog"),
        ("ocsf", "siem.example:514", "", "nowhere"),
        ("cef", "tls://siem.example:6514", "token = { file = \"provider.key\" }\n", "`token` is for"),
        ("cef", "tls://siem.example:6514", "ca = \"policy.cedar\"\n", "no certificates"),
        ("cef", "tls://siem.example:6514", "cleartext = \"yes\"\n", "another value"),
    ] {
        let problems = home.problems(&export(form, to, more));
        assert!(problems.iter().any(|p| p.what.contains(what)), "{to}: {problems:?}");
    }
    let two = export("cef", "tls://siem.example:6514", "");
    let two = two.clone() + &two[whole().len()..];
    assert!(home.problems(&two).iter().any(|p| p.what.contains("two exports")));
}

#[test]
fn witnesses_are_known_by_their_keys_and_nobody_witnesses_itself() {
    let home = Home::new();
    let ((log, witness), (own, _)) = (keys("node-2"), keys("countersign"));
    let audit = |cosigns: &str, key: &str, url: &str| {
        let doors = whole().replace("key = \"key.pem\"\n", "key = \"key.pem\"\nadmin = true\n");
        doors + &format!("[audit]\ncosigns = [{cosigns:?}]\n[[audit.witness]]\nkey = {key:?}\nurl = {url:?}\n")
    };
    let url = "https://node-2.example:8444/witness";
    let config = home.load(&audit(&log, &witness, url)).map_err(crate::cmd::Problems).unwrap();
    assert_eq!((config.cosigns[0].0.as_str(), config.witnesses[0].cosigner().name()), ("node-2", "node-2/witness"));
    for (cosigns, key, url, what) in [
        (&own, &witness, url, "own log"),
        // A witness's key is none of a log, and the other way round: they sign different things.
        (&witness, &witness, url, "no log's public key"),
        (&log, &log, url, "no witness's public key"),
        (&log, &witness, "http://node-2.example:8444/witness", "cannot be asked"),
        (&log, &witness, "node-2.example", "cannot be asked"),
    ] {
        let problems = home.problems(&audit(cosigns, key, url));
        assert!(problems.iter().any(|p| p.what.contains(what)), "{what}: {problems:?}");
    }
    let shut = audit(&log, &witness, url).replace("admin = true\n", "");
    assert!(home.problems(&shut).iter().any(|p| p.what.contains("no listener takes them")));
}
