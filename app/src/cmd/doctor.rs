//! `countersign doctor`: is the deployment as a whole in order? Each line is good, worth a look, or wrong, with advice.

use std::{process::ExitCode, time::Duration};

use countersign_audit::{Dir as _, DiskDir, Reader, verify::Report, witness::WITNESSED};
use countersign_core::{Secret, Timestamp};
use countersign_identity::{KeyRecord, Tokens};
use countersign_provider::{Dial, Dialer};
use countersign_store::Revision;
use serde_json::json;

use crate::{
    admin, assemble,
    cli::{Doctor, Output},
    clock,
    cluster::Cluster,
    cmd::{self, audit, structure},
    config::{self, Config, Door, StoreAt},
    issuers::askers,
    registered,
    root::{self, Root},
    state::State,
    term, witness,
};

mod archive;

/// How a line stands.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Standing {
    Good,
    Look,
    Wrong,
}

struct Line {
    standing: Standing,
    about: &'static str,
    what: String,
    advice: String,
}

#[derive(Default)]
struct Findings(Vec<Line>);

impl Findings {
    fn good(&mut self, about: &'static str, what: impl Into<String>) {
        self.0.push(Line { standing: Standing::Good, about, what: what.into(), advice: String::new() });
    }

    fn look(&mut self, about: &'static str, what: impl Into<String>, advice: &str) {
        self.0.push(Line { standing: Standing::Look, about, what: what.into(), advice: advice.into() });
    }

    fn wrong(&mut self, about: &'static str, what: impl Into<String>, advice: &str) {
        self.0.push(Line { standing: Standing::Wrong, about, what: what.into(), advice: advice.into() });
    }
}

pub(crate) async fn run(args: &Doctor) -> anyhow::Result<ExitCode> {
    let config = cmd::configuration(&args.config)?;
    let mut findings = Findings::default();
    findings.good("configuration", format!("{} is valid", config.file.display()));
    doors(&config, &mut findings);
    state(&config, &mut findings).await;
    enforcement(&config, &mut findings).await;
    chosen(&config, &mut findings);
    if !args.offline {
        providers(&config, &mut findings).await;
        issuers(&config, &mut findings).await;
        questions(&config, &mut findings).await;
        cluster(&config, &mut findings).await;
        archived(&config, &mut findings).await;
    }
    print(&findings, args.format);
    let failed = findings.0.iter().any(|l| l.standing == Standing::Wrong);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn doors(config: &Config, findings: &mut Findings) {
    for listener in &config.listeners {
        match &listener.door {
            Door::Tls { address, .. } => {
                findings.good("listener", format!("`{}` serves TLS 1.3 on {address}", listener.name))
            }
            Door::Unix { path } => {
                findings.good("listener", format!("`{}` serves this user on {}", listener.name, path.display()))
            }
            Door::Clear { address } => findings.look(
                "listener",
                format!("`{}` serves in the clear on {address}", listener.name),
                "every process of this machine can read it; serve a Unix socket instead",
            ),
        }
    }
    let open = match config.resource {
        None => "/healthz and /readyz",
        Some(_) => "/healthz, /readyz and /.well-known/oauth-protected-resource",
    };
    findings.good("listener", format!("{open} answer without identity; everything else demands it"));
    for listener in config.listeners.iter().filter(|listener| listener.admin) {
        let open = admin::routes().filter(|route| matches!(route.permit, admin::Permit::Open)).map(|route| route.path);
        let open: Vec<_> = open.collect();
        let what = format!(
            "`{}` serves the admin API and the console too; {} and the console's pages answer without identity there",
            listener.name,
            open.join(", ")
        );
        match &listener.door {
            Door::Tls { address, .. } if address.ip().is_unspecified() => {
                findings.look(
                    "listener",
                    what,
                    "it can be reached on every address; give it one that administrators alone reach",
                );
            }
            _ => findings.good("listener", what),
        }
    }
}

/// The state and what is in it. Looking makes none.
async fn state(config: &Config, findings: &mut Findings) {
    if !State::is_there(&config.home.dir) {
        let what = format!("there is none yet in {}", config.home.dir.display());
        return findings.look("state", what, "it begins with the first key or start");
    }
    let state = match State::open(&config.home).await {
        Ok(state) => state,
        Err(e) => return findings.wrong("state", format!("{e:#}"), "nothing can be served without it"),
    };
    findings.good("state", format!("{} can be used", config.home.dir.display()));
    roots(config, &state, findings).await;
    keys(&state, findings).await;
    directory(config, &state, findings).await;
    access(config, &state, findings).await;
    match registered::open(&config.registered, state.ring()) {
        Ok(indexes) => indexes.iter().for_each(|index| findings.good("documents", structure::registered(index))),
        Err(e) => findings.wrong("documents", format!("{e:#}"), "nothing is served until it can be used"),
    }
    if let Err(e) = assemble::targets(config, &state) {
        findings.wrong("provider", format!("{e:#}"), "nothing is served until its key can be unsealed");
    }
    log(&state, findings);
    holds(&state, findings).await;
    witnesses(config, &state, findings);
    exports(config, &state, findings).await;
}

/// What protects the root keys.
async fn roots(config: &Config, state: &State, findings: &mut Findings) {
    match root::read(&config.home).await {
        Ok(Root { beside: true, .. }) => findings.wrong(
            "root keys",
            "they stand in the clear beside the wrapped ones",
            "run `countersign keys wrap`, which removes them there",
        ),
        Ok(Root { kek: Some(kek), .. }) => {
            findings.good("root keys", format!("version {}, wrapped by {kek}", state.ring().versions()));
        }
        Ok(Root { kek: None, .. }) => findings.look(
            "root keys",
            format!("version {}, in the clear for whoever reads the state directory", state.ring().versions()),
            "have a key that is held elsewhere wrap them: docs/how-to/keys.md",
        ),
        Err(e) => findings.wrong("root keys", format!("{e:#}"), "nothing is served without them"),
    }
}

/// Access that can be asked for, and what of it somebody has to look at.
async fn access(config: &Config, state: &State, findings: &mut Findings) {
    if config.access.is_empty() {
        return;
    }
    if !config.listeners.iter().any(|listener| listener.admin) {
        let fix = "write `admin = true` at the listener where it is to be asked for";
        findings.look("access", "nobody can ask for it: no listener serves the admin API", fix);
    }
    match state.store().unreviewed_cases().await {
        Ok(0) => {
            findings.good("access", format!("{} kinds can be asked for; nothing waits for review", config.access.len()))
        }
        Ok(due) => {
            let said = format!("{due} times access was taken without approval, and nobody has reviewed it");
            findings.look("access", said, "see `countersign access list`, and `countersign access review`");
        }
        Err(e) => findings.wrong("access", format!("{e:#}"), "sessions are refused until the store can be read"),
    }
}

/// Who has been provisioned.
async fn directory(config: &Config, state: &State, findings: &mut Findings) {
    let Some(issuer) = config.directory() else { return };
    match state.store().directory_if_changed(&mut Revision::default()).await {
        Ok(members) => {
            let members = members.unwrap_or_default();
            let out = members.iter().filter(|member| !member.active).count();
            let said = format!("{} users of issuer `{issuer}` are provisioned, {out} of them shut out", members.len());
            if members.is_empty() {
                findings.look(
                    "directory",
                    said,
                    "have the directory send its users, and see that it sends `externalId`",
                );
            } else {
                findings.good("directory", said);
            }
        }
        Err(e) => {
            findings.wrong("directory", format!("{e:#}"), "whom it deactivates is not refused until it can be read")
        }
    }
}

/// Whether what nodes share can be reached.
async fn cluster(config: &Config, findings: &mut Findings) {
    let Some(redis) = &config.cluster else { return };
    let Ok(state) = State::open(&config.home).await else { return };
    let fix = "requests that budgets count, and proofs of possession, are refused without it";
    match Cluster::new(redis, &state) {
        Ok(cluster) if cluster.answers().await => findings.good("cluster", "Redis answers"),
        Ok(_) => findings.wrong("cluster", "Redis does not answer, or refuses the log-in", fix),
        Err(e) => findings.wrong("cluster", format!("{e:#}"), fix),
    }
    if matches!(config.home.store, StoreAt::File) {
        let advice = "nodes of a cluster share keys and revocations in PostgreSQL: write `[store]`";
        findings.look("cluster", "the store is a file of this node alone", advice);
    }
}

async fn keys(state: &State, findings: &mut Findings) {
    match state.store().keys().await {
        Ok(keys) => {
            let now = clock::now();
            let stands = |k: &&KeyRecord| k.revoked_at.is_none() && k.expires.is_none_or(|end| now < end);
            match keys.iter().filter(stands).count() {
                0 => findings.look("keys", "no key stands", "create one with `countersign key create`"),
                standing => findings.good("keys", format!("{standing} of {} keys stand", keys.len())),
            }
        }
        Err(e) => findings.wrong("keys", e.to_string(), "restore the key store from a backup"),
    }
}

fn log(state: &State, findings: &mut Findings) {
    if !state.audit_dir().exists() {
        findings.look("audit", "there is no log yet", "it begins with the first start");
    } else {
        verified(state, findings);
    }
    match audit::public_keys(state) {
        Ok(keys) => keys.into_iter().for_each(|key| findings.good("audit", format!("public key {key}"))),
        Err(e) => findings.wrong("audit", format!("{e:#}"), "the key ring cannot sign"),
    }
}

fn verified(state: &State, findings: &mut Findings) {
    match audit::verify_own(state, None, None) {
        Ok(report) if report.is_whole() => findings.good("audit", whole(&report)),
        Ok(report) => findings.wrong(
            "audit",
            format!("{} things are damaged", report.damage.count()),
            "run `countersign audit verify`",
        ),
        Err(e) => findings.wrong("audit", format!("{e:#}"), "run `countersign audit verify`"),
    }
}

/// What verification found where nothing is wrong.
fn whole(report: &Report) -> String {
    let given_up = match report.given_up {
        0 => String::new(),
        some => format!("; {some} were given up for their age"),
    };
    format!("{} records verified{given_up}", report.held)
}

/// What legal holds keep.
async fn holds(state: &State, findings: &mut Findings) {
    match state.store().holds_in_force().await {
        Ok(holds) if holds.is_empty() => {}
        Ok(holds) => findings.good("holds", format!("{} are in force", holds.len())),
        Err(e) => findings.wrong("holds", format!("{e:#}"), "nothing is given up or forgotten until they can be read"),
    }
}

/// The key of the witness that this gateway is, and whether those who are to cosign its log have done so, and when.
fn witnesses(config: &Config, state: &State, findings: &mut Findings) {
    match witness::public_keys(state.ring(), state.node()) {
        Ok(keys) => keys.into_iter().for_each(|key| findings.good("witness", format!("public key {key}"))),
        Err(e) => findings.wrong("witness", format!("{e:#}"), "the key ring cannot sign"),
    }
    let note = DiskDir::read_only(state.audit_dir()).and_then(|dir| dir.read(WITNESSED)).unwrap_or_default();
    for witness in &config.witnesses {
        let name = witness.cosigner().name();
        match witness.cosigner().when(&note) {
            Ok(seconds) => {
                let at = clock::rfc3339(Timestamp(seconds.saturating_mul(1_000_000)));
                findings.good("witness", format!("`{name}` has cosigned the log, last at {at}"));
            }
            Err(why) => {
                let advice = "is it reachable, and does its `cosigns` name this log's key? the gateway's log says why";
                findings.look("witness", format!("`{name}` has not cosigned the log: {why}"), advice);
            }
        }
    }
}

/// How far exports have come.
async fn exports(config: &Config, state: &State, findings: &mut Findings) {
    let dir = DiskDir::read_only(state.audit_dir());
    let size = dir.ok().and_then(|dir| Some(Reader::new(&dir).ok()?.checkpoint().size)).unwrap_or_default();
    for export in &config.exports {
        match state.store().exported(&export.name, state.node()).await {
            Ok(taken) if size.saturating_sub(taken) <= BEHIND => {
                findings.good("export", format!("`{}` has taken {taken} of {size} records", export.name));
            }
            Ok(taken) => findings.look(
                "export",
                format!("`{}` has taken {taken} of {size} records", export.name),
                "does its receiver take records? the gateway's log says why not",
            ),
            Err(e) => findings.wrong("export", e.to_string(), "restore the key store from a backup"),
        }
    }
}

/// How the archive stands.
async fn archived(config: &Config, findings: &mut Findings) {
    let Some(archive) = &config.archive else { return };
    // A state that is not there, or cannot be opened, was told of.
    if State::is_there(&config.home.dir)
        && let Ok(state) = State::open(&config.home).await
    {
        archive::look(archive, &state, findings).await;
    }
}

async fn enforcement(config: &Config, findings: &mut Findings) {
    match assemble::self_test(config).await {
        Ok(report) => {
            findings
                .good("self-test", format!("{} cases of route, format, channel and action enforced", report.enforced));
            for (case, why) in report.failed {
                findings.wrong("self-test", format!("{case}: {why}"), "nothing is served until this holds");
            }
        }
        Err(e) => findings.wrong("self-test", format!("{e:#}"), "nothing is served until it runs"),
    }
}

/// What holds where a detector is fooled, and how sure detectors are.
fn chosen(config: &Config, findings: &mut Findings) {
    for choice in structure::choices(config) {
        match choice.advice {
            None => findings.good(choice.about, choice.what),
            Some(advice) => findings.look(choice.about, choice.what, advice),
        }
    }
}

async fn providers(config: &Config, findings: &mut Findings) {
    let targets: Vec<_> = config.targets.iter().map(|t| t.target.clone()).collect();
    let dialer = match Dialer::new(&targets) {
        Ok(dialer) => dialer,
        Err(e) => return findings.wrong("provider", e.to_string(), "check the targets' `ca` files"),
    };
    for target in &targets {
        let wait = target.timeouts.connect.min(Duration::from_secs(5));
        match tokio::time::timeout(wait, dialer.dial(target)).await {
            Ok(Ok(_)) => findings.good("provider", format!("`{}` can be reached at {}", target.name, target.base)),
            Ok(Err(e)) => findings.look(
                "provider",
                format!("`{}` cannot be reached: {e}", target.name),
                "is its address right, and does it run? If it has nothing newer than TLS 1.2, `oldest_tls = \"1.2\"` names it",
            ),
            Err(_) => findings.look(
                "provider",
                format!("`{}` did not answer within {} s", target.name, wait.as_secs()),
                "is a firewall in between?",
            ),
        }
    }
}

/// Asks each issuer that is to be asked about tokens once, about a token that nobody issued.
async fn questions(config: &Config, findings: &mut Findings) {
    if !config.issuers.iter().any(|issuer| issuer.introspection.is_some()) || !State::is_there(&config.home.dir) {
        return;
    }
    // A state that cannot be opened was told of.
    let Ok(state) = State::open(&config.home).await else { return };
    let askers = match askers(config, &state) {
        Ok(askers) => askers,
        Err(e) => {
            return findings.wrong("issuer", format!("{e:#}"), "nothing is served until its secret can be unsealed");
        }
    };
    for (name, asker) in askers {
        let advice = "its tokens that say nothing by themselves are refused until it does (CS0205)";
        let said = asker.ask(&Secret::new("doctor-asks-about-no-token".to_owned())).await;
        let said = said.and_then(|said| Ok(serde_json::from_slice::<serde_json::Value>(&said)?["active"].clone()));
        match said {
            Ok(serde_json::Value::Bool(false)) => {
                findings.good("issuer", format!("`{name}` says what tokens are worth"));
            }
            Ok(_) => findings.look("issuer", format!("`{name}` does not say that a token of nobody is none"), advice),
            Err(e) => findings.look("issuer", format!("`{name}` does not say what tokens are worth: {e:#}"), advice),
        }
    }
}

/// Fetches each issuer's keys once, as the gateway does. How old those of a running gateway are, its metrics say.
async fn issuers(config: &Config, findings: &mut Findings) {
    for config::Issuer { issuer, source, .. } in &config.issuers {
        let name = &issuer.name;
        let set = match source.fetch().await {
            Ok(set) => set,
            Err(e) => {
                let what = format!("the keys of `{name}` cannot be fetched: {e:#}");
                findings.look("issuer", what, "its tokens are refused until they can be (CS0205)");
                continue;
            }
        };
        let (tokens, now) = (Tokens::default(), clock::now());
        let read = tokens.set_issuers(vec![issuer.clone()]).map_err(|e| e.to_string());
        let report = match read.and_then(|()| tokens.fetched(name, &set, now).map_err(|e| e.to_string())) {
            Ok(report) => report,
            Err(e) => {
                findings.look("issuer", format!("`{name}`: {e}"), "its tokens are refused (CS0205)");
                continue;
            }
        };
        if report.new == 0 {
            let what = format!("`{name}` publishes no key that its `algorithms` could use");
            findings.look("issuer", what, "compare them with its key set; every token of it is refused");
        } else {
            findings.good("issuer", format!("`{name}` can be reached; {} keys are accepted", report.new));
        }
        for key in report.refused {
            let what = format!("key `{}` of `{name}` is not accepted: {}", key.name, key.why);
            findings.look("issuer", what, "tokens signed with it are refused");
        }
    }
}

fn print(findings: &Findings, format: Output) {
    if format == Output::Json {
        let standing = |s| match s {
            Standing::Good => "good",
            Standing::Look => "look",
            Standing::Wrong => "wrong",
        };
        let rows: Vec<_> = findings
            .0
            .iter()
            .map(|l| json!({"standing": standing(l.standing), "about": l.about, "what": l.what, "advice": l.advice}))
            .collect();
        return cmd::json(&rows.into());
    }
    for line in &findings.0 {
        let mark = match line.standing {
            Standing::Good => "ok   ",
            Standing::Look => "look ",
            Standing::Wrong => "WRONG",
        };
        term::say(format_args!("{mark} {:<13} {}", line.about, line.what));
        if !line.advice.is_empty() {
            term::say(format_args!("      {:<13} advice: {}", "", line.advice));
        }
    }
}

/// So many records an export may be behind before it is worth a look.
const BEHIND: u64 = 10_000;
