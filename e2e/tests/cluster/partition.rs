//! A network that fails between a gateway and what it shares: PostgreSQL and Redis in a network namespace, spoken to by TLS, with a cable
//! that is pulled out or lets nothing come back. On the other side, trust goes on ending.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Instant};

use countersign_testkit::{Answer, Deployment, Home, Network, Postgres, Redis, chat_ask, until};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use serde_json::json;
use tempfile::TempDir;

use super::{answers, eprintln_figure};
use crate::nodes::{home, posted};

type Pair = CertifiedKey<KeyPair>;
type Break = fn(&Network);

fn pair(network: &Network) -> Pair {
    generate_simple_self_signed(vec![network.address().to_string()]).expect("a certificate")
}

fn put(folder: &Path, pair: &Pair) {
    fs::write(folder.join("cert.pem"), pair.cert.pem()).expect("written");
    let key = folder.join("key.pem");
    fs::write(&key, pair.signing_key.serialize_pem()).expect("written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a file");
}

/// Redis behind the cable, and what a configuration says of it.
fn redis(network: &Network, pair: &Pair) -> Option<(Redis, TempDir, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), pair);
    let at = folder.path().display();
    // Nobody else has this port there.
    let tls =
        format!("--tls-port 6380 --tls-auth-clients no --tls-cert-file {at}/cert.pem --tls-key-file {at}/key.pem");
    // It answers beyond its own machine; there is nobody else in its network.
    let redis = Redis::within(network, &[&tls, "--protected-mode no"])?;
    let section = format!("[cluster]\nredis = \"rediss://{}:6380\"\nca = \"ca.pem\"\n", network.address());
    Some((redis, folder, section))
}

/// Runs a command of the product on the other side.
fn beyond(network: &Network, home: &Home, arguments: &[&str]) {
    let here = home.command(arguments);
    let mut there = network.command(here.get_program());
    there.args(here.get_args());
    there.envs(here.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = there.output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn ask(gateway: &Deployment, key: &str) -> Answer {
    gateway.post("/v1/chat/completions", key, &chat_ask("hello"))
}

fn believed(gateway: &Deployment, key: &str) {
    until("a key to be believed", || (ask(gateway, key).status == 200).then_some(()));
}

#[test]
fn behind_a_network_that_fails_nobody_is_believed_past_the_bound() {
    let Some(network) = Network::start() else { return };
    let (upstream, pair) = (answers(), pair(&network));
    let settings = ["ssl=on", "ssl_cert_file=../cert.pem", "ssl_key_file=../key.pem"];
    let Some(postgres) = Postgres::within(&network, &settings, |folder| put(folder, &pair)) else { return };
    let Some((_redis, _folder, section)) = redis(&network, &pair) else { return };
    let shared = format!("[store]\npostgres = {:?}\nca = \"ca.pem\"\n\n{section}", postgres.database());
    let [node, other] = [1, 2].map(|n| home(&upstream, n, &shared));
    for home in [&node, &other] {
        home.put("ca.pem", pair.cert.pem());
    }
    other.put("state/root.key", fs::read(node.path("state/root.key")).expect("a root key"));
    let bob = node.key("bob", "staff");
    let gateway = node.serve();
    believed(&gateway, &bob);

    let ways: [(&str, Break); 2] = [("pulled out", Network::pull), ("deaf", Network::deafen)];
    for (n, (how, breaks)) in ways.into_iter().enumerate() {
        let subject = format!("alice-{n}");
        let alice = other.key(&subject, "staff");
        believed(&gateway, &alice);
        let mut body = chat_ask("hello");
        body["stream"] = json!(true);
        let mut stream = gateway.client();
        stream.send(posted(&alice, &body)).expect("sent");
        stream.until("word");
        let id = other.key_id(&subject);

        let since = Instant::now();
        breaks(&network);
        // Of this the gateway can hear nothing.
        beyond(&network, &other, &["key", "revoke", &id]);
        let rest = String::from_utf8_lossy(&stream.rest_of_stream()).into_owned();
        assert!(rest.contains("CS0204"), "{how}: {rest}");
        eprintln_figure(how, since);
        for key in [&alice, &bob] {
            until("a refusal", || {
                let answer = ask(&gateway, key);
                let code = answer.code();
                assert!(matches!(code.as_deref(), None | Some("CS0204" | "CS0404")), "{how}: {answer:?}");
                (answer.status == 503 && code.as_deref() == Some("CS0404")).then_some(())
            });
        }
        network.mend();
        until("what happened meanwhile to be known", || {
            let answer = ask(&gateway, &alice);
            assert_ne!(answer.status, 200, "{how}: a revoked key is believed once more");
            (answer.status == 401).then_some(())
        });
        believed(&gateway, &bob);
    }
}

#[test]
fn behind_a_network_that_fails_what_budgets_count_is_refused_and_comes_back() {
    let Some(network) = Network::start() else { return };
    let (upstream, pair) = (answers(), pair(&network));
    let Some(postgres) = Postgres::start() else { return };
    let Some((_redis, _folder, section)) = redis(&network, &pair) else { return };
    let shared = format!(
        "[store]\npostgres = {:?}\n\n{section}\n[[budget]]\nname = \"all\"\nwindow = \"month\"\nrequests = 1000\n",
        postgres.database()
    );
    let home = home(&upstream, 1, &shared);
    home.put("ca.pem", pair.cert.pem());
    let key = home.key("alice", "staff");
    let gateway = home.serve();
    believed(&gateway, &key);
    for breaks in [Network::pull, Network::deafen] {
        breaks(&network);
        let refused = ask(&gateway, &key);
        assert_eq!((refused.status, refused.code().as_deref()), (503, Some("CS0404")), "{}", refused.text());
        network.mend();
        believed(&gateway, &key);
    }
    // What arrived there while no answer came back was set aside for requests that were refused, and is given back.
    until("the figures to fit", || {
        let rows: serde_json::Value = serde_json::from_str(&gateway.home.must(&["budget", "--format", "json"])).ok()?;
        (rows[0]["spent"].as_str()?.parse::<usize>().ok()? == upstream.seen().len()).then_some(())
    });
}
