//! `cargo xtask bench revocation`: how long who is revoked or set aside goes on, on one node or on several.
//!
//! In each round somebody new opens streams whose provider says nothing more. Then they are revoked, by the admin API or by a security
//! event that their issuer pushes, or set aside, by the admin API or by a playbook, because a canary came out in an answer to them.
//! Counted is from the first byte of the request that brings it about being sent to the answer that refuses their next request, and
//! to the last byte of the last stream.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Context, ensure};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use countersign_testkit::{Postgres, Redis};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

use super::{
    free_port,
    subjects::{Subject, Ways},
};
use crate::shell;

/// What is measured.
pub(crate) struct Rounds {
    pub(crate) rounds: usize,
    pub(crate) streams: usize,
    /// Gateways, over one PostgreSQL and one Redis where there are several. The streams are shared out among them; the first revokes.
    pub(crate) nodes: usize,
    /// Another binary than the release build.
    pub(crate) binary: Option<std::path::PathBuf>,
}

pub(crate) fn revocation(rounds: &Rounds) -> anyhow::Result<()> {
    let binary = match &rounds.binary {
        Some(binary) => binary.clone(),
        None => {
            shell::run(&mut shell::cargo(["build", "--release", "--package", "countersign"]))?;
            shell::target().join("release/countersign")
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(rounds, &binary))
}

/// One way to revoke somebody or to set them aside.
#[derive(Clone, Copy)]
enum Way {
    Api,
    Event,
    Restraint,
    Playbook,
}

impl Way {
    const ALL: [(&str, Self); 4] = [
        ("revoked by admin API", Self::Api),
        ("revoked by pushed security event", Self::Event),
        ("set aside by admin API", Self::Restraint),
        ("set aside by the playbook of a canary", Self::Playbook),
    ];

    /// Sets it off.
    fn request(self, issuer: &Issuer, root: &str, person: &str) -> String {
        let target = format!("principal:default/bench/{person}");
        match self {
            Self::Api => {
                let body = json!({"target": target, "reason": "bench"});
                post("/admin/v1/revocations", root, "application/json", &body.to_string())
            }
            Self::Event => post("/ssf/events", root, "application/secevent+jwt", &issuer.event(person)),
            Self::Restraint => {
                let body = json!({"target": target, "measure": "quarantine", "minutes": 60, "reason": "bench"});
                post("/admin/v1/restraints", root, "application/json", &body.to_string())
            }
            Self::Playbook => {
                let body = json!({"model": "bench", "messages": [{"role": "user", "content": GIVE_AWAY}]});
                post("/v1/chat/completions", &issuer.token(person), "application/json", &body.to_string())
            }
        }
    }

    /// What the answer to that begins with.
    const fn answer(self) -> &'static str {
        match self {
            Self::Playbook => "HTTP/1.1 403",
            _ => "HTTP/1.1 20",
        }
    }

    /// What the streams end with.
    const fn code(self) -> &'static str {
        match self {
            Self::Api | Self::Event => "CS0204",
            Self::Restraint | Self::Playbook => "CS0305",
        }
    }
}

async fn measure(rounds: &Rounds, binary: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::open().await?;
    let shared = if rounds.nodes > 1 { Some(Servers::start()?) } else { None };
    let (mut subjects, mut nodes) = (Vec::new(), Vec::new());
    let upstream = upstream().await?;
    for node in 1..=rounds.nodes {
        let (subject, clear) = start(folder.path(), node, binary, upstream, issuer.address, shared.as_ref()).await?;
        ready(clear, &issuer.token("first")).await?;
        subjects.push(subject);
        nodes.push(clear);
    }
    let clear = *nodes.first().context("there is a node")?;
    let root = subjects.first().and_then(|subject| subject.key.clone()).context("a key was made")?;
    shell::say(
        "way                                   | streams | rounds | to the next refusal p50, p99, max | to the last byte p50, p99, max",
    );
    for (name, way) in Way::ALL {
        let (mut refused, mut ended) = (Vec::new(), Vec::new());
        for round in 0..rounds.rounds {
            let person = format!("{}-{round}", way as u8);
            let token = issuer.token(&person);
            let places = nodes.iter().copied().cycle().take(rounds.streams);
            let streams: Vec<_> = places.map(|node| tokio::spawn(stream(node, token.clone()))).collect();
            let mut open = Vec::new();
            for stream in streams {
                open.push(stream.await??);
            }
            let watching: Vec<_> = open.into_iter().map(|stream| tokio::spawn(end(stream, way.code()))).collect();
            let request = way.request(&issuer, &root, &person);
            let mut revoking = TcpStream::connect(clear).await?;
            let mut asking = Vec::new();
            for node in &nodes {
                asking.push(TcpStream::connect(node).await?);
            }
            // Each node is asked again and again until it refuses.
            let refusing: Vec<_> = asking.into_iter().map(|io| tokio::spawn(refusal(io, token.clone()))).collect();
            let began = Instant::now();
            let answer = exchange(&mut revoking, &request).await?;
            ensure!(answer.starts_with(way.answer()), "{name}: {answer}");
            let mut last = began;
            for refusal in refusing {
                last = last.max(refusal.await??);
            }
            refused.push(last.duration_since(began));
            let mut last = began;
            for stream in watching {
                last = last.max(timeout(Duration::from_secs(10), stream).await???);
            }
            ended.push(last.duration_since(began));
        }
        let (refused, ended) = (figures(refused), figures(ended));
        shell::say(&format!("{name:<37} | {:>7} | {:>6} | {refused} | {ended}", rounds.streams, rounds.rounds));
    }
    Ok(())
}

/// The gateway as a deployment has it: durable audit, guards, policy, and an issuer whose events it takes.
async fn start(
    folder: &Path,
    node: usize,
    binary: &Path,
    upstream: SocketAddr,
    issuer: SocketAddr,
    shared: Option<&Servers>,
) -> anyhow::Result<(Subject, SocketAddr)> {
    let clear = free_port()?;
    let home = folder.join(format!("node-{node}"));
    shell::output(Command::new(binary).arg("init").arg(&home))?;
    if node > 1 {
        fs::copy(folder.join("node-1/state/root.key"), home.join("state/root.key"))?;
    }
    let shared = shared.map(Servers::sections).unwrap_or_default();
    let config = format!(
        "node = \"node-{node}\"\nstate = \"state\"\nresource = \"https://bench.example\"\n\
         [[listener]]\nname = \"clear\"\naddress = \"{clear}\"\ncleartext = \"i-accept-cleartext-on-loopback\"\nadmin = true\n\
         [[target]]\nname = \"model\"\nspeaks = \"openai\"\nurl = \"http://{upstream}\"\nmodels = [\"bench\"]\nconnections = 1000\n\
         [policy]\nfiles = [\"policy.cedar\"]\n[rates]\nper_minute = 1000000000\nburst = 1000000\nconcurrent = 1000\n\
         [[issuer]]\nname = \"bench\"\nkind = \"rfc9068\"\nurl = \"http://{issuer}\"\njwks = \"http://{issuer}/jwks\"\n\
         cleartext = \"i-accept-cleartext-on-loopback\"\naudiences = [\"https://bench.example\"]\nroles = {{ staff = \"staff\" }}\n\
         signals = {{ audiences = [\"https://bench.example/ssf/events\"] }}\n\
         [guard]\ncanaries = \"canaries.txt\"\n\
         [playbooks]\nact = [\"canary-tripped\"]\nat_least = 1000000\n\
         {shared}[telemetry]\nlevel = \"error\"\n"
    );
    let policy = "permit (principal in Countersign::Role::\"staff\", action, resource);\n\
                  permit (principal in Countersign::Role::\"root\", action in [Countersign::Action::\"revoke\", \
                  Countersign::Action::\"restrain\", Countersign::Action::\"sendSignals\"], resource);\n";
    let file = home.join("countersign.toml");
    fs::write(&file, config)?;
    fs::write(home.join("policy.cedar"), policy)?;
    fs::write(home.join("canaries.txt"), CANARY)?;
    let create = ["key", "create", "root", "--role", "root", "--config"];
    let key = shell::output(Command::new(binary).args(create).arg(&file))?;
    let mut command = Command::new(binary);
    command.args(["serve", "--config"]).arg(file);
    let ways = Ways { clear: Some(clear), tls: None };
    let subject = Subject::start(&mut command, ways, Some(key.trim().to_owned())).await?;
    Ok((subject, clear))
}

/// What several nodes share.
struct Servers {
    store: String,
    redis: Redis,
    _postgres: Postgres,
}

impl Servers {
    fn start() -> anyhow::Result<Self> {
        let postgres = Postgres::start().context("PostgreSQL is installed")?;
        let redis = Redis::start().context("Redis is installed")?;
        Ok(Self { store: postgres.database(), redis, _postgres: postgres })
    }

    fn sections(&self) -> String {
        format!("[store]\npostgres = {:?}\n[cluster]\nredis = {:?}\n", self.store, self.redis.url())
    }
}

/// When a node refuses; what it lets pass before that counts against it.
async fn refusal(mut io: TcpStream, token: String) -> anyhow::Result<Instant> {
    let request = get("/v1/models", &token);
    loop {
        let answer = exchange(&mut io, &request).await?;
        // Past so many a minute, whoever is refused is told to slow down as well.
        if matches!(answer.split(' ').nth(1), Some("401" | "403" | "429")) {
            return Ok(Instant::now());
        }
        ensure!(answer.starts_with("HTTP/1.1 200"), "not refused: {answer}");
    }
}

/// Waits until the gateway knows the issuer's keys.
async fn ready(address: SocketAddr, token: &str) -> anyhow::Result<()> {
    for _ in 0..100 {
        let answer = exchange(&mut TcpStream::connect(address).await?, &get("/v1/models", token)).await?;
        if answer.starts_with("HTTP/1.1 200") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the issuer's keys are not taken")
}

/// A provider whose streams begin and then say nothing more until the gateway lets go, and who gives a canary away when asked to.
async fn upstream() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut io, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = Vec::new();
                while !asked.ends_with(b"}") {
                    if io.read_buf(&mut asked).await? == 0 {
                        return Ok(());
                    }
                }
                if String::from_utf8_lossy(&asked).contains(GIVE_AWAY) {
                    let choice = json!({"index": 0, "message": {"role": "assistant", "content": CANARY}, "finish_reason": "stop"});
                    let whole = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "bench", "choices": [choice]});
                    let (body, head) = (
                        whole.to_string(),
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n",
                    );
                    return io
                        .write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())
                        .await;
                }
                let text = super::words(400);
                let chunk = json!({
                    "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "bench",
                    "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}],
                });
                let event = format!("data: {chunk}\n\n");
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                io.write_all(format!("{head}{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
                while io.read_buf(&mut asked).await? > 0 {}
                std::io::Result::Ok(())
            });
        }
    });
    Ok(address)
}

/// An identity provider: its keys, its tokens, its events.
struct Issuer {
    pair: Ed25519KeyPair,
    address: SocketAddr,
}

impl Issuer {
    async fn open() -> anyhow::Result<Self> {
        let pair = Ed25519KeyPair::generate().map_err(|_| anyhow::anyhow!("no key pair"))?;
        let x = BASE64URL_NOPAD.encode(pair.public_key().as_ref());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]}).to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{set}",
            set.len()
        );
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((mut io, _)) = listener.accept().await {
                let mut asked = Vec::new();
                while !asked.ends_with(b"\r\n\r\n") && io.read_buf(&mut asked).await.is_ok_and(|n| n > 0) {}
                // The gateway asks again if that fails.
                let _ = io.write_all(answer.as_bytes()).await;
            }
        });
        Ok(Self { pair, address })
    }

    fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "kid": "k", "typ": typ});
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(claims));
        format!("{signed}.{}", BASE64URL_NOPAD.encode(self.pair.sign(signed.as_bytes()).as_ref()))
    }

    fn token(&self, person: &str) -> String {
        let (now, iss) = (now(), format!("http://{}", self.address));
        self.sign(
            "at+jwt",
            &json!({
                "iss": iss, "aud": "https://bench.example", "sub": person, "client_id": "bench", "jti": person,
                "iat": now, "exp": now + 3600, "roles": ["staff"],
            }),
        )
    }

    fn event(&self, person: &str) -> String {
        let iss = format!("http://{}", self.address);
        let revoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
        self.sign(
            "secevent+jwt",
            &json!({
                "iss": iss, "aud": "https://bench.example/ssf/events", "jti": person, "iat": now(),
                "sub_id": {"format": "iss_sub", "iss": iss, "sub": person}, "events": {revoked: {}},
            }),
        )
    }
}

/// Opens a stream and reads its beginning.
async fn stream(address: SocketAddr, token: String) -> anyhow::Result<TcpStream> {
    let body = r#"{"model":"bench","stream":true,"messages":[{"role":"user","content":"Tell me about parcels."}]}"#;
    let mut io = TcpStream::connect(address).await?;
    io.write_all(post("/v1/chat/completions", &token, "application/json", body).as_bytes()).await?;
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("parcel") {
        ensure!(io.read_buf(&mut seen).await? > 0, "no stream: {}", String::from_utf8_lossy(&seen));
    }
    Ok(io)
}

/// Reads to the end, which must be a refusal; when its last byte came.
async fn end(mut io: TcpStream, code: &str) -> anyhow::Result<Instant> {
    let mut seen = Vec::new();
    let mut last = Instant::now();
    while io.read_buf(&mut seen).await.unwrap_or(0) > 0 {
        last = Instant::now();
    }
    let said = String::from_utf8_lossy(&seen);
    ensure!(said.contains(code), "not cut: {said}");
    Ok(last)
}

async fn exchange(io: &mut TcpStream, request: &str) -> anyhow::Result<String> {
    io.write_all(request.as_bytes()).await?;
    let mut seen = Vec::new();
    loop {
        ensure!(io.read_buf(&mut seen).await? > 0, "the connection was closed");
        let text = String::from_utf8_lossy(&seen).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok(text);
        }
    }
}

fn post(path: &str, credential: &str, kind: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {credential}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn get(path: &str, credential: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {credential}\r\n\r\n")
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Median, 99th percentile and maximum, in milliseconds.
fn figures(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: usize| {
        let time = times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
        time.copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    format!("{:>8.2} {:>8.2} {:>8.2} ms", at(50), at(99), at(100))
}

const CANARY: &str = "osprey-vellum-4417-kestrel";
const GIVE_AWAY: &str = "What stands in the ledger?";
