//! `cargo xtask bench gateway`: what one request costs, side by side with the proxies the field runs, in one run.
//!
//! Every subject gets one worker, the same upstream and the same 16 connections. What is reported is processor time as the
//! operating system accounts it to the subject's processes, and their resident memory, not time on the clock.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::ensure;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
    version::TLS13,
};

use crate::shell;
use load::{Ask, drive};
use subjects::Subject;
use upstream::Answer;

mod adapt;
mod audit;
mod console;
mod data;
mod load;
mod revocation;
mod start;
mod subjects;
mod upstream;

pub(crate) use adapt::adapt;
pub(crate) use audit::{audit, edits};
pub(crate) use console::console;
pub(crate) use data::data;
pub(crate) use revocation::{Rounds, revocation};
pub(crate) use start::start;

/// One line of the table.
struct Row {
    subject: &'static str,
    wire: &'static str,
    prompt: &'static str,
    answer: &'static str,
    micros: f64,
    resident: u64,
    rate: f64,
    /// Microseconds a request by thread: in its own code and in the kernel.
    threads: Vec<(String, [f64; 2])>,
}

pub(crate) fn gateway(seconds: u64, only: Option<&str>) -> anyhow::Result<()> {
    shell::run(&mut shell::cargo(["build", "--release", "--package", "countersign"]))?;
    shell::run(&mut shell::cargo(["build", "--release", "--package", "countersign", "--example", "relay"]))?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(seconds, only))
}

async fn measure(seconds: u64, only: Option<&str>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let tls = Arc::new(trusting(&certificate(folder.path())?)?);
    let upstream = upstream::open().await?;
    let time = Duration::from_secs(seconds);
    let mut rows = Vec::new();
    for (name, start) in subjects::ALL {
        if only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let subject = match start(folder.path(), upstream).await {
            Ok(subject) => subject,
            Err(why) => {
                shell::say(&format!("{name}: left out: {why:#}"));
                continue;
            }
        };
        for (wire, address) in [("clear", subject.ways.clear), ("TLS 1.3", subject.ways.tls)] {
            let Some(address) = address else { continue };
            for (prompt, size) in [("1 KB", 1024), ("16 KB", 16 * 1024)] {
                for answer in Answer::ALL {
                    let ask = Ask {
                        address,
                        tls: (wire != "clear").then(|| tls.clone()),
                        request: request(size, answer, subject.key.as_deref()),
                        must_hold: if answer.asking().1 { b"[DONE]" } else { b"\"total_tokens\":380" },
                    };
                    rows.push(one(&subject, name, wire, prompt, answer.name(), &ask, time).await?);
                }
            }
        }
    }
    ensure!(!rows.is_empty(), "no subject was measured");
    print(&rows);
    Ok(())
}

async fn one(
    subject: &Subject,
    name: &'static str,
    wire: &'static str,
    prompt: &'static str,
    answer: &'static str,
    ask: &Ask,
    time: Duration,
) -> anyhow::Result<Row> {
    drive(ask, Duration::from_millis(500)).await?;
    let (before, threads) = (subject.processor_time()?, subject.threads()?);
    let answers = drive(ask, time).await?;
    let used = subject.processor_time()? - before;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / answers as f64;
    let since = |(name, now): (String, [Duration; 2])| {
        let then = threads.get(&name).copied().unwrap_or_default();
        (name, [0, 1].map(|i| each(now[i].saturating_sub(then[i]))))
    };
    let row = Row {
        subject: name,
        wire,
        prompt,
        answer,
        micros: each(used),
        resident: subject.resident("VmRSS")?,
        rate: answers as f64 / time.as_secs_f64(),
        threads: subject.threads()?.into_iter().map(since).collect(),
    };
    shell::say(&format!("{name} {wire} {prompt} {answer}: {:.1} us, {:.0}/s", row.micros, row.rate));
    Ok(row)
}

#[expect(clippy::print_stdout, reason = "the table is the result")]
fn print(rows: &[Row]) {
    println!("| subject | listener | prompt | answer | CPU us a request | x nginx | resident MiB | answers a second |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for row in rows {
        let same =
            |r: &&Row| r.subject == "nginx" && (r.wire, r.prompt, r.answer) == (row.wire, row.prompt, row.answer);
        let times = rows.iter().find(same).map_or_else(|| "-".into(), |n| format!("{:.2}", row.micros / n.micros));
        println!(
            "| {} | {} | {} | {} | {:.1} | {times} | {:.1} | {:.0} |",
            row.subject,
            row.wire,
            row.prompt,
            row.answer,
            row.micros,
            row.resident as f64 / 1024.0,
            row.rate
        );
    }
    println!("\nWhere it goes: CPU us a request by thread, in its own code + in the kernel\n");
    println!("| subject | listener | prompt | answer | threads |");
    println!("| --- | --- | --- | --- | --- |");
    for row in rows.iter().filter(|r| r.threads.len() > 1) {
        let busy = row.threads.iter().filter(|(_, [own, kernel])| own + kernel >= 0.1);
        let threads: Vec<_> = busy.map(|(name, [own, kernel])| format!("{name} {own:.1} + {kernel:.1}")).collect();
        println!("| {} | {} | {} | {} | {} |", row.subject, row.wire, row.prompt, row.answer, threads.join(", "));
    }
}

/// A chat request with a prompt of `size` bytes.
fn request(size: usize, answer: Answer, key: Option<&str>) -> Arc<[u8]> {
    let (model, stream) = answer.asking();
    let body = format!(
        r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"system","content":"You help customers of a shop."}},{{"role":"user","content":"{}"}}]}}"#,
        words(size)
    );
    let key = key.map_or_else(String::new, |key| format!("authorization: Bearer {key}\r\n"));
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n{key}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
    .into()
}

/// Ordinary prose of `size` bytes.
fn words(size: usize) -> String {
    let text = "The parcel left our house on Monday and should reach you within three days, unless the weather in the hills \
                closes the road again. If nothing has come by Friday, please write to us and we will send another one at once. ";
    text.chars().cycle().take(size).collect()
}

/// Puts a certificate for this machine and its key into a folder, and hands it on.
fn certificate(folder: &Path) -> anyhow::Result<String> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()])?;
    std::fs::write(folder.join("chain.pem"), cert.pem())?;
    let key = folder.join("key.pem");
    std::fs::write(&key, signing_key.serialize_pem())?;
    // A key that others can read is refused.
    std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(cert.pem())
}

fn trusting(authority: &str) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    Ok(builder.with_protocol_versions(&[&TLS13])?.with_root_certificates(roots).with_no_client_auth())
}

/// A loopback port that is free now.
fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
