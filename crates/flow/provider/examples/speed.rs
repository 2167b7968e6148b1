//! CPU time of one dispatched request on loopback: `cargo run --release -p countersign-provider --example speed`.
//!
//! The server answers from a thread of its own with prepared bytes; only the stage's thread is measured, by the
//! scheduler's account of it (Linux). What remains above `http1`'s own example is routing, breaker, pool and timers.
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use bytes::Bytes;
use countersign_core::{
    Action, Call, Finding, Format, Judge, Lease, Principal, RequestId, Side, Timestamp,
    life::{Fingerprint, Identified, Intended, Peer, Permit, Permitted, Reserved, Screened, Stamps},
    principal::{Method, PrincipalKind},
};
use countersign_provider::{Dialect, Dialer, ModelRoute, Provider, Target, Timeouts, Upstream};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1024\r\n\r\n{}",
        "x".repeat(1024)
    );
    let event = format!("data: {}\n\n", "y".repeat(180));
    let mut stream =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for _ in 0..54 {
        stream += &format!("{:x}\r\n{event}\r\n", event.len());
    }
    stream += "0\r\n\r\n";

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (name, answer, streams) in [("whole 1 KiB", whole, false), ("stream of 54 events", stream, true)] {
        for upstream in ["m", "vendor/m"] {
            let provider = provider(serve(answer.clone())?, upstream)?;
            let used = runtime.block_on(run(&provider, streams))?;
            println!("{name}, asked for as `{upstream}`: {used:.2} us per request");
        }
    }
    Ok(())
}

async fn run(provider: &Provider, streams: bool) -> Result<f64, Failure> {
    let mut used = 0.0;
    for _ in 0..BATCHES {
        let requests: Vec<_> = (0..BATCH).map(|_| intended(streams)).collect();
        let start = cpu()?;
        for request in requests {
            let (_, upstream) = provider.dispatch(request).await.map_err(|(refusal, _)| refusal)?;
            if let Upstream::Stream(mut body) = upstream {
                while body.next().await?.is_some() {}
            }
        }
        used += cpu()? - start;
    }
    Ok(used / f64::from(BATCHES * BATCH))
}

/// Answers every request with `answer`, from another thread.
fn serve(answer: String) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || -> std::io::Result<()> {
        let (mut tcp, _) = listener.accept()?;
        tcp.set_nodelay(true)?;
        let mut request = vec![0; 64 * 1024];
        // One request is one segment here.
        while tcp.read(&mut request)? > 0 {
            tcp.write_all(answer.as_bytes())?;
        }
        Ok(())
    });
    Ok(address)
}

fn provider(address: SocketAddr, upstream: &str) -> Result<Provider, Failure> {
    let target = Target {
        name: "t".into(),
        dialect: Dialect::OpenAi,
        base: format!("http://{address}").parse()?,
        key: None,
        models: vec![ModelRoute { name: "m".into(), upstream: upstream.into() }],
        timeouts: Timeouts::default(),
        ca: None,
        oldest_tls: Default::default(),
        connections: 16,
    };
    let dialer = Arc::new(Dialer::new(std::slice::from_ref(&target))?);
    Ok(Provider::new(Stamps::issue().dispatch, vec![target], dialer, Arc::new(|| Timestamp(0)))?)
}

struct Lenient;

impl Judge for Lenient {
    fn judge(&self, _: Side, _: &Finding) -> Action {
        Action::Allow
    }
}

fn intended(stream: bool) -> Intended {
    let stamps = Stamps::issue();
    let principal = Principal {
        tenant: "t".into(),
        subject: "s".into(),
        kind: PrincipalKind::Service,
        roles: [].into(),
        scopes: [].into(),
        credential: "k".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    };
    let id = RequestId::new(Timestamp(0), [0; 10]);
    let identified = Identified::new(&stamps.identify, id, Timestamp(0), Peer::default(), Arc::new(principal));
    let call =
        Call { format: Format::Chat, model: "m".into(), stream, max_tokens: None, tools: vec![], attachments: 0 };
    let permit = Permit { judge: Arc::new(Lenient), reason: "".into() };
    let permitted = Permitted::new(&stamps.permit, identified, call, permit);
    let reserved = Reserved::new(&stamps.reserve, permitted, Box::new(()));
    let prompt = "z".repeat(1000);
    let body = Bytes::from(format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{prompt}"}}]}}"#));
    Intended::new(&stamps.intend, Screened::new(&stamps.screen, reserved, body, vec![], Fingerprint::default()), 0)
}

/// Microseconds this thread has run.
fn cpu() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1000.0)
}

const BATCHES: u32 = 50;
const BATCH: u32 = 1000;
