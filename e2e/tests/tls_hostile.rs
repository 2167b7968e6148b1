//! Handshakes that must fail: old versions, wrong certificates, early data, and bytes that are no TLS.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use countersign_testkit::{Client, Plan, Reply, Secure, Siege, Upstream, chat_ask, ended, h2::PREFACE};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, NamedGroup, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};

/// An authority of client certificates.
type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A good client certificate for `uri`, to be bent.
fn client(uri: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("ASCII"))];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// Chain and key in PEM.
fn signed(params: &CertificateParams, by: &Authority) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, by).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn self_signed(params: &CertificateParams) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

/// A good request, with or without the key, and its answer's status; none when the connection fails.
fn ask(siege: &Siege, how: &Secure, with_key: bool) -> Option<u16> {
    ask_at(siege.gateway.tls, siege, how, with_key)
}

fn ask_at(address: SocketAddr, siege: &Siege, how: &Secure, with_key: bool) -> Option<u16> {
    let body = chat_ask("hello").to_string();
    let mut request = String::from_utf8(siege.request(&format!("content-length: {}\r\n", body.len()), &body)).ok()?;
    if !with_key {
        request = request.replace(&format!("authorization: Bearer {}\r\n", siege.key), "");
    }
    let mut client = Client::tls(address, how).ok()?;
    client.send(request).ok()?;
    Some(client.answer().ok()??.status)
}

fn expect<T: PartialEq + std::fmt::Debug>(got: T, wanted: T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{got:?} instead of {wanted:?}")) }
}

/// A greeting of that version (as in `0x0302` for TLS 1.1) in a record, with the suites that time had.
fn hello(version: u16) -> Vec<u8> {
    let v = version.to_be_bytes();
    let suites = [0xc0, 0x2f, 0xc0, 0x13, 0x00, 0x2f, 0x00, 0x35, 0x00, 0x0a, 0x00, 0x05];
    let body = [&v[..], &[7; 32], &[0], &[0, 12], &suites, &[1, 0]].concat();
    let length = u16::try_from(body.len()).unwrap_or_default().to_be_bytes();
    let handshake = [&[1, 0][..], &length, &body].concat();
    let length = u16::try_from(handshake.len()).unwrap_or_default().to_be_bytes();
    [&[0x16, 3, 1][..], &length, &handshake].concat()
}

#[test]
fn only_tls_1_3_is_spoken() {
    let upstream = Upstream::start(|_asked| Reply::json(200, &Siege::peace()));
    let mut siege = Siege::begin(Plan::new().target("openai", &upstream, &["m"]), upstream);
    let how = siege.gateway.secure();
    let offering = |protocols: &[&str]| {
        let alpn = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        Secure { alpn, ..how.clone() }
    };
    for (name, how, status) in [
        ("TLS 1.3", how.clone(), Some(200)),
        ("TLS 1.2 alone", Secure { versions: vec![&TLS12], ..how.clone() }, None),
        ("TLS 1.3 and 1.2", Secure { versions: vec![&TLS13, &TLS12], ..how.clone() }, Some(200)),
        ("no protocol", offering(&[]), Some(200)),
        ("HTTP/1.1 and one nobody knows", offering(&["x", "http/1.1"]), Some(200)),
        ("a protocol nobody knows", offering(&["x"]), None),
        ("HTTP/1.0", offering(&["http/1.0"]), None),
        ("HTTP/2 in the clear", offering(&["h2c"]), None),
        ("SPDY", offering(&["spdy/3.1"]), None),
        (
            "a certificate nobody asked for",
            {
                let (chain, key) = self_signed(&client("spiffe://example.org/root"));
                how.clone().showing(chain, key)
            },
            Some(200),
        ),
    ] {
        siege.case(name, |siege| expect(ask(siege, &how, true), status));
    }
    siege.case("a protocol that is not the one agreed on", |siege| {
        // Agreed on HTTP/1.1, spoken HTTP/2.
        let mut client = siege.gateway.tls_client();
        client.send(PREFACE).map_err(|e| e.to_string())?;
        let answer = client.answer().ok().flatten().map(|a| a.status);
        expect(answer, Some(400))?;
        ended(&mut client)
    });
    for (name, bytes) in [
        ("a greeting of TLS 1.2", hello(0x0303)),
        ("a greeting of TLS 1.1", hello(0x0302)),
        ("a greeting of TLS 1.0", hello(0x0301)),
        ("a greeting of SSL 3.0", hello(0x0300)),
        ("a greeting of SSL 2.0", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10".repeat(4)),
        ("HTTP in the clear", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()),
        ("HTTP/2 in the clear, spoken", PREFACE.to_vec()),
        ("zeros", vec![0; 4096]),
        ("a record of 64 KiB", [&b"\x16\x03\x01\xff\xff"[..], &[1; 70_000]].concat()),
        ("records without content", b"\x16\x03\x01\x00\x00".repeat(1000)),
        ("a heartbeat", b"\x18\x03\x02\x00\x03\x01\x40\x00".to_vec()),
        ("data before a handshake", b"\x17\x03\x03\x00\x05hello".to_vec()),
        ("an alert first", b"\x15\x03\x01\x00\x02\x02\x00".to_vec()),
        ("a change of cipher first", b"\x14\x03\x01\x00\x01\x01".repeat(10)),
        ("a handshake of 16 MiB announced", b"\x16\x03\x01\x00\x09\x01\xff\xff\xff\x03\x03\x00\x00\x00".to_vec()),
        ("half a greeting", hello(0x0303)[..20].to_vec()),
        ("a greeting whose lengths disagree", {
            let mut bytes = hello(0x0303);
            bytes[43] = 255;
            bytes
        }),
        ("a key exchange first", b"\x16\x03\x01\x00\x04\x10\x00\x00\x00".to_vec()),
    ] {
        siege.case(name, |siege| {
            let mut client = Client::clear(siege.gateway.tls);
            let _ = client.send(bytes);
            client.finish();
            let said = client.rest();
            // An alert is all that may come back: no greeting, no HTTP.
            let alert = said.is_empty() || (said[0] == 0x15 && said.len() <= 7);
            if alert { Ok(()) } else { Err(format!("said {}", said.escape_ascii())) }
        });
    }
    siege.case("a connection that is torn within the handshake, many times", |siege| {
        for i in 0..200 {
            let mut io = TcpStream::connect(siege.gateway.tls).map_err(|e| e.to_string())?;
            let bytes = hello(0x0303);
            let _ = io.write_all(&bytes[..i % bytes.len()]);
        }
        expect(ask(siege, &how, true), Some(200))
    });
    siege.case("early data, with the hybrid key exchange", |siege| early(siege, &how));
    siege.finish(31);
}

/// A client that would send early data if it were let.
fn eager(how: &Secure) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let trust = CertificateDer::from_pem_slice(how.trust.as_bytes()).map_err(|e| e.to_string())?;
    roots.add(trust).map_err(|e| e.to_string())?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_early_data = true;
    Ok(Arc::new(config))
}

/// Resumes a session and finds that no data may be sent ahead of the handshake.
fn early(siege: &Siege, how: &Secure) -> Result<(), String> {
    let config = eager(how)?;
    let mut resumed = false;
    for _ in 0..5 {
        let name = ServerName::try_from("localhost").map_err(|e| e.to_string())?;
        let mut session = ClientConnection::new(config.clone(), name).map_err(|e| e.to_string())?;
        if session.early_data().is_some() {
            return Err("the gateway takes early data".into());
        }
        let mut io = TcpStream::connect(siege.gateway.tls).map_err(|e| e.to_string())?;
        let mut tls = rustls::Stream::new(&mut session, &mut io);
        tls.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .map_err(|e| e.to_string())?;
        // The tickets come with the answer.
        let mut said = Vec::new();
        let _ = std::io::Read::read_to_end(&mut tls, &mut said);
        if !said.starts_with(b"HTTP/1.1 200") {
            return Err(format!("said {}", said.escape_ascii()));
        }
        let group = session.negotiated_key_exchange_group().map(|group| group.name());
        expect(group, Some(NamedGroup::X25519MLKEM768))?;
        resumed |= session.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
    }
    if resumed { Ok(()) } else { Err("no session was resumed, so nothing was shown".into()) }
}

#[test]
fn client_certificates_are_believed_only_from_whom_they_should_be() {
    let ours = authority("ours");
    let theirs = authority("ours");
    let upstream = Upstream::start(|_asked| Reply::json(200, &Siege::peace()));
    let plan = Plan::new()
        .target("openai", &upstream, &["m"])
        .client_ca(&ours.pem())
        .more("[[certificate]]\nuri = \"spiffe://example.org/good\"\nroles = [\"staff\"]\n");
    let mut siege = Siege::begin(plan, upstream);
    let how = siege.gateway.secure();
    let good = client("spiffe://example.org/good");
    let bent = |bend: fn(&mut CertificateParams)| {
        let mut params = good.clone();
        bend(&mut params);
        params
    };
    let alone = |status| (false, status);
    for (name, (chain, key), (with_key, status)) in [
        ("a good one", signed(&good, &ours), alone(Some(200))),
        ("of another authority of the same name", signed(&good, &theirs), alone(None)),
        ("of its own making", self_signed(&good), alone(None)),
        ("of its own making, with a good key", self_signed(&good), (true, None)),
        ("expired", signed(&bent(|p| p.not_after = date_time_ymd(2020, 1, 1)), &ours), alone(None)),
        ("of the future", signed(&bent(|p| p.not_before = date_time_ymd(2999, 1, 1)), &ours), alone(None)),
        (
            "for servers",
            { signed(&bent(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]), &ours) },
            alone(None),
        ),
        ("of a name that no rule maps", signed(&client("spiffe://example.org/goodness"), &ours), alone(Some(401))),
        ("of a name in upper case", signed(&client("spiffe://example.org/GOOD"), &ours), alone(Some(401))),
        (
            "of a name in another kind of field",
            {
                let mut params = CertificateParams::default();
                params.distinguished_name.push(DnType::CommonName, "spiffe://example.org/good");
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                signed(&params, &ours)
            },
            alone(Some(401)),
        ),
        (
            "of an authority that a client made",
            {
                let mut params = good.clone();
                params.is_ca = IsCa::NoCa;
                let false_issuer = CertifiedIssuer::signed_by(params, KeyPair::generate().expect("a key"), &ours)
                    .expect("a certificate");
                let key = KeyPair::generate().expect("a key");
                let leaf = good.signed_by(&key, &false_issuer).expect("a certificate");
                (format!("{}{}", leaf.pem(), false_issuer.pem()), key.serialize_pem())
            },
            alone(None),
        ),
    ] {
        let how = how.clone().showing(chain, key);
        siege.case(name, |siege| {
            let before = siege.upstream.seen().len();
            expect(ask(siege, &how, with_key), status)?;
            expect(siege.upstream.seen().len() - before, usize::from(status == Some(200)))
        });
    }
    siege.case("none, and no key", |siege| expect(ask(siege, &how, false), Some(401)));
    siege.case("none, and a good key", |siege| expect(ask(siege, &how, true), Some(200)));
    siege.finish(13);
}

#[test]
fn where_a_certificate_is_required_a_key_is_none() {
    let ours = authority("ours");
    let upstream = Upstream::start(|_asked| Reply::json(200, &Siege::peace()));
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback has a free port");
    let plan = Plan::new().target("openai", &upstream, &["m"]).client_ca(&ours.pem()).more(&format!(
        "[[listener]]\nname = \"insists\"\naddress = \"{free}\"\ncertificate = \"tls/chain.pem\"\nkey = \"tls/key.pem\"\nclient_ca = \"tls/clients.pem\"\nrequire_client_certificate = true\n\n[[certificate]]\nuri = \"spiffe://example.org/good\"\nroles = [\"staff\"]\n",
    ));
    let mut siege = Siege::begin(plan, upstream);
    let how = siege.gateway.secure();
    let good = client("spiffe://example.org/good");
    let showing = |(chain, key): (String, String)| how.clone().showing(chain, key);
    for (name, how, with_key, status) in [
        ("a good certificate", showing(signed(&good, &ours)), false, Some(200)),
        ("no certificate", how.clone(), false, None),
        ("no certificate, but a good key", how.clone(), true, None),
        ("a certificate of another authority, and a good key", showing(signed(&good, &authority("x"))), true, None),
    ] {
        siege.case(name, |siege| expect(ask_at(free, siege, &how, with_key), status));
    }
    siege.finish(4);
}

#[test]
fn workloads_are_let_in_by_their_trust_domain_alone() {
    let bank = authority("bank");
    let upstream = Upstream::start(|_asked| Reply::json(200, &Siege::peace()));
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback has a free port");
    let plan = Plan::new().target("openai", &upstream, &["m"]).client_ca(&bank.pem()).more(&format!(
        "[[listener]]\nname = \"mesh\"\naddress = \"{free}\"\ncertificate = \"tls/chain.pem\"\nkey = \"tls/key.pem\"\ntrust_domains = {{ \"bank.example\" = \"tls/clients.pem\" }}\n\n[[certificate]]\nuri = \"spiffe://*\"\nroles = [\"staff\"]\n",
    ));
    let mut siege = Siege::begin(plan, upstream);
    let how = siege.gateway.secure();
    let svid = |uris: &[&str], usages: &[KeyUsagePurpose]| {
        let mut params = client(uris[0]);
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().expect("a URI"))).collect();
        params.key_usages = usages.to_vec();
        params
    };
    const SIGNS: &[KeyUsagePurpose] = &[KeyUsagePurpose::DigitalSignature];
    let batch = "spiffe://bank.example/batch";
    let good = svid(&[batch], SIGNS);
    for (name, (chain, key), status) in [
        ("a workload", signed(&good, &bank), Some(200)),
        ("another authority's", signed(&good, &authority("bank")), None),
        ("another trust domain's", signed(&svid(&["spiffe://lab.example/batch"], SIGNS), &bank), None),
        ("one without SPIFFE", signed(&svid(&["https://batch.bank.example/"], SIGNS), &bank), None),
        ("two names", signed(&svid(&[batch, "spiffe://bank.example/other"], SIGNS), &bank), None),
        ("a whole trust domain", signed(&svid(&["spiffe://bank.example"], SIGNS), &bank), None),
        (
            "an authority's key usage",
            signed(&svid(&[batch], &[KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign]), &bank),
            None,
        ),
        ("no key usage", signed(&svid(&[batch], &[]), &bank), None),
    ] {
        let how = how.clone().showing(chain, key);
        siege.case(name, |siege| expect(ask_at(free, siege, &how, false), status));
    }
    siege.case("none, and a good key", |siege| expect(ask_at(free, siege, &how, true), Some(200)));
    siege.finish(9);
}
