//! `cargo xtask bench start`: how long the gateway takes until it listens, and how much memory it holds, with everything loaded: all
//! profiles, so that names are looked for as well, the learned detector, policy, budgets and durable audit.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    load::{Ask, drive},
    request, subjects,
    upstream::{self, Answer},
};
use crate::shell;

/// Starts the gateway so many times, and asks it for `seconds` with each kind of request at the last.
pub(crate) fn start(times: u32, seconds: u64) -> anyhow::Result<()> {
    shell::run(&mut shell::cargo(["build", "--release", "--package", "countersign"]))?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(times, seconds))
}

async fn measure(times: u32, seconds: u64) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    super::certificate(folder.path())?;
    let upstream = upstream::open().await?;
    let (mut took, mut at_rest) = (Vec::new(), 0);
    for time in 1..=times {
        let prepared = subjects::prepared(folder.path(), upstream, PROFILES, "")?;
        let begun = Instant::now();
        let subject = prepared.start().await?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        at_rest = at_rest.max(subject.resident("VmRSS")?);
        if time == times {
            let mut answers = 0;
            for (size, answer) in [1024, 16 << 10].into_iter().flat_map(|size| Answer::ALL.map(|answer| (size, answer)))
            {
                let must_hold: &[u8] = if answer.asking().1 { b"[DONE]" } else { b"\"total_tokens\":380" };
                let request = request(size, answer, subject.key.as_deref());
                let address = subject.ways.clear.ok_or_else(|| anyhow::anyhow!("it does not listen in the clear"))?;
                let ask = Ask { address, tls: None, request: Arc::clone(&request), must_hold };
                answers += drive(&ask, Duration::from_secs(seconds)).await?;
            }
            let mib = |field| anyhow::Ok(subject.resident(field)? as f64 / 1024.0);
            took.sort_by(f64::total_cmp);
            let (least, most) = (took.first().copied().unwrap_or_default(), took.last().copied().unwrap_or_default());
            print(&[
                ("until it listens, ms", format!("{least:.0} to {most:.0}, {times} times")),
                ("resident once it listens, MiB", format!("{:.1}", at_rest as f64 / 1024.0)),
                ("resident after requests, MiB", format!("{:.1}, after {answers}", mib("VmRSS")?)),
                ("resident at most, MiB", format!("{:.1}", mib("VmHWM")?)),
            ]);
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is the result")]
fn print(lines: &[(&str, String)]) {
    println!("| of | is |\n| --- | --- |");
    for (of, is) in lines {
        println!("| {of} | {is} |");
    }
}

const PROFILES: &str = "profiles = [\"hipaa\", \"pci\", \"gdpr\", \"secrets\"]\n";
