//! From what a person wrote to what holds. Collects every problem instead of stopping at the first.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use countersign_core::{Code, Secret};
use countersign_gateway::tls;
use countersign_identity::CertificateRule;
use countersign_policy::{Policy, Settings};
use countersign_provider::{Target as ProviderTarget, Timeouts};
use toml::Spanned;

use super::{
    Config, Door, Key, Listener, Problem, Target, fields,
    raw::{RawConfig, RawKey, RawListener, RawTarget},
};

/// Reads and checks a configuration file and every file it names. Touches no network and binds nothing.
pub(crate) fn load(file: &Path) -> Result<Config, Vec<Problem>> {
    let (text, raw) = parse(file)?;
    Check { file, text: &text, base: base(file), problems: Vec::new() }.config(raw)
}

/// Where a configuration's state is, and its node's name, reading nothing else of it.
pub(crate) fn place(file: &Path) -> Result<(PathBuf, String), Vec<Problem>> {
    let (_, raw) = parse(file)?;
    Ok((base(file).join(raw.state.get_ref()), raw.node))
}

fn parse(file: &Path) -> Result<(String, RawConfig), Vec<Problem>> {
    let problem = |line, what: String, fix: &str| {
        vec![Problem { code: Code::ConfigInvalid, file: file.into(), line, what, fix: fix.into() }]
    };
    let text = fs::read_to_string(file)
        .map_err(|e| problem(None, format!("cannot be read: {e}"), "run `countersign init` to write one"))?;
    let raw = toml::from_str(&text).map_err(|e| {
        let line = e.span().map(|span| line_of(&text, span.start));
        problem(line, without_values(e.message().trim()), "see `countersign schema` for every field and its meaning")
    })?;
    Ok((text, raw))
}

/// The parser's message without the value it complains of, which may be a key that was written where its name belongs.
/// The line it stands in is told.
fn without_values(message: &str) -> String {
    for (before, after) in [
        ("unknown variant `", "`, expected"),
        ("invalid type: string \"", "\", expected"),
        ("invalid value: string \"", "\", expected"),
    ] {
        if let Some((start, rest)) = message.split_once(before)
            && let Some((_, end)) = rest.rsplit_once(after)
        {
            let what = before.trim_end_matches(['`', '"', ' ']);
            return format!("{start}{what}, expected{end}");
        }
    }
    message.to_owned()
}

fn base(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).to_path_buf()
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

struct Check<'a> {
    file: &'a Path,
    text: &'a str,
    base: PathBuf,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn config(mut self, raw: RawConfig) -> Result<Config, Vec<Problem>> {
        if raw.listeners.is_empty() {
            let _: Option<()> = self.wrong(0, "there is no [[listener]]", "add one; `countersign init` shows how");
        }
        if raw.targets.is_empty() {
            let _: Option<()> = self.wrong(0, "there is no [[target]]", "add one; `countersign init` shows how");
        }
        if !countersign_audit::note::is_name(&raw.node) {
            let _: Option<()> = self.wrong(0, "`node` cannot name an audit log", "write a name without spaces and `+`");
        }
        if raw.workers == Some(0) {
            let _: Option<()> =
                self.wrong(0, "`workers` is 0", "write at least 1, or leave it out for one a processor");
        }
        let telemetry = fields::telemetry(&raw.telemetry);
        let _: Option<()> = self.take_at(0, telemetry);
        let listeners: Vec<_> = raw.listeners.into_iter().filter_map(|l| self.listener(l)).collect();
        let targets: Vec<_> = raw.targets.into_iter().filter_map(|t| self.target(t)).collect();
        let policy = self.policy(&raw.policy.files);
        let rules: Vec<_> = raw.rules.iter().filter_map(|r| self.take(r, fields::rule(r.get_ref()))).collect();
        let certificates: Vec<CertificateRule> =
            raw.certificates.iter().filter_map(|c| self.take(c, fields::certificate(c.get_ref()))).collect();
        let rates = fields::rates(&raw.rates);
        let guard = self.guard(&raw.guard);
        self.distinct(listeners.iter().map(|l| l.name.as_str()), "listener");
        self.distinct(targets.iter().map(|t| &*t.target.name), "target");
        let state = self.base.join(raw.state.get_ref());
        match (policy, self.problems.is_empty()) {
            (Some(policy), true) => Ok(Config {
                file: self.file.into(),
                state,
                node: raw.node,
                workers: raw.workers,
                listeners,
                targets,
                policy: Settings { policy: Arc::new(policy), rules: fields::rules(rules), rates },
                guard,
                certificates,
                telemetry: raw.telemetry,
            }),
            _ => Err(self.problems),
        }
    }

    fn listener(&mut self, raw: Spanned<RawListener>) -> Option<Listener> {
        let at = raw.span().start;
        let raw = raw.into_inner();
        let door = match (&raw.address, &raw.unix) {
            (Some(_), Some(_)) | (None, None) => {
                self.wrong(at, "a listener needs exactly one of `address` and `unix`", "keep one of the two")
            }
            (None, Some(path)) => Some(Door::Unix { path: self.base.join(path) }),
            (Some(address), None) => {
                let Ok(address) = address.parse::<SocketAddr>() else {
                    let what = format!("`{address}` is not an address");
                    return self.wrong(at, what, "write an IP address and a port, as in \"127.0.0.1:8443\"");
                };
                self.tcp(at, address, &raw)
            }
        };
        door.map(|door| Listener { name: raw.name, door })
    }

    fn tcp(&mut self, at: usize, address: SocketAddr, raw: &RawListener) -> Option<Door> {
        if let Some(words) = &raw.cleartext {
            if words != CLEARTEXT {
                return self.wrong(
                    at,
                    "`cleartext` has another value than the one it takes",
                    format!("write cleartext = \"{CLEARTEXT}\", or serve TLS"),
                );
            }
            if !address.ip().is_loopback() {
                return self.wrong(
                    at,
                    "cleartext on an address that is not loopback",
                    "serve TLS with `certificate` and `key`, or listen on 127.0.0.1",
                );
            }
            return Some(Door::Clear { address });
        }
        let (Some(chain), Some(key)) = (&raw.certificate, &raw.key) else {
            return self.wrong(
                at,
                "a TCP listener without `certificate` and `key`",
                "name both PEM files; nothing is served in the clear by default",
            );
        };
        if raw.require_client_certificate && raw.client_ca.is_none() {
            return self.wrong(
                at,
                "`require_client_certificate` without `client_ca`",
                "name the PEM file of the authorities that sign your clients",
            );
        }
        let chain = self.read(at, chain)?;
        let key = self.read(at, key)?;
        let authorities = match &raw.client_ca {
            Some(path) => Some(self.read(at, path)?),
            None => None,
        };
        let material = tls::Material {
            chain: &chain,
            key: &key,
            client_authorities: authorities.as_deref(),
            require_client: raw.require_client_certificate,
        };
        match tls::server(&material) {
            Ok(tls) => Some(Door::Tls { address, tls }),
            Err(e) => self.wrong(at, format!("TLS cannot be set up: {e}"), "check the PEM files of this listener"),
        }
    }

    fn target(&mut self, raw: Spanned<RawTarget>) -> Option<Target> {
        let at = raw.span().start;
        let raw = raw.into_inner();
        let dialect = fields::dialect(&raw);
        let base = fields::base(&raw.url, raw.cleartext.as_deref());
        let dialect = self.take_at(at, dialect)?;
        let base = self.take_at(at, base)?;
        if raw.models.is_empty() {
            return self.wrong(at, "a target that serves no model", "list the models callers may ask it for");
        }
        let ca = match &raw.ca {
            Some(path) => Some(self.read(at, path)?),
            None => None,
        };
        let key = match &raw.key {
            None => None,
            Some(RawKey::Sealed(name)) => Some(Key::Sealed(name.clone())),
            Some(RawKey::Env(name)) => match std::env::var(name) {
                Ok(value) if !value.trim().is_empty() => Some(Key::Known(Secret::new(value.trim().to_owned()))),
                _ => {
                    // The key itself may have been written in place of a name.
                    let is_name = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
                    let what = match is_name {
                        true => format!("the environment variable `{name}` is not set"),
                        false => "the environment variable that `key` names is not set".to_owned(),
                    };
                    return self.wrong(at, what, "set it to the provider's key before starting");
                }
            },
            Some(RawKey::File(path)) => match fs::read_to_string(self.base.join(path)).map(Secret::new) {
                Ok(text) => match text.expose().lines().next().map(str::trim).filter(|l| !l.is_empty()) {
                    Some(line) => Some(Key::Known(Secret::new(line.to_owned()))),
                    None => {
                        let fix = "put the provider's key on its first line";
                        return self.wrong(at, "the file that `key` names holds no key", fix);
                    }
                },
                // The path is not told: the key itself may have been written in its place.
                Err(e) => {
                    return self.wrong(
                        at,
                        format!("the file that `key` names cannot be read: {e}"),
                        "check the path (relative to the configuration file) and its permissions",
                    );
                }
            },
        };
        let timeouts = Timeouts {
            connect: Duration::from_secs(raw.connect_seconds),
            first_byte: Duration::from_secs(raw.first_byte_seconds),
            idle: Duration::from_secs(raw.idle_seconds),
            total: Duration::from_secs(raw.total_seconds),
        };
        let models = raw.models.iter().map(fields::model).collect();
        let name = raw.name.into();
        let target =
            ProviderTarget { name, dialect, base, key: None, models, timeouts, ca, connections: raw.connections };
        Some(Target { target, key })
    }

    fn policy(&mut self, files: &[Spanned<PathBuf>]) -> Option<Policy> {
        let mut sources = Vec::new();
        for file in files {
            let text = self.read(file.span().start, file.get_ref())?;
            let Ok(text) = String::from_utf8(text) else {
                return self.wrong(
                    file.span().start,
                    format!("`{}` is not UTF-8", file.get_ref().display()),
                    "save it as UTF-8",
                );
            };
            sources.push((file.get_ref().display().to_string(), text));
        }
        let views: Vec<(&str, &str)> = sources.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        match Policy::parse(&views) {
            Ok(policy) => Some(policy),
            Err(e) => {
                self.problems.extend(fields::policy_problems(&e, &self.base));
                None
            }
        }
    }

    fn guard(&mut self, raw: &super::raw::RawGuard) -> countersign_guard::Config {
        let mut config = countersign_guard::Config { link_hosts: raw.link_hosts.clone(), ..Default::default() };
        for path in &raw.protected {
            let Some(bytes) = self.read(path.span().start, path.get_ref()) else { continue };
            match String::from_utf8(bytes) {
                Ok(text) => {
                    let name = path.get_ref().display().to_string();
                    config.protected.push(countersign_guard::Protected { name, text });
                }
                Err(_) => {
                    let what = format!("`{}` is not UTF-8 text", path.get_ref().display());
                    let _: Option<()> = self.wrong(path.span().start, what, "convert it to plain text");
                }
            }
        }
        if let Some(path) = &raw.canaries
            && let Some(bytes) = self.read(path.span().start, path.get_ref())
        {
            let text = String::from_utf8_lossy(&bytes);
            let tokens = text.lines().map(str::trim).filter(|l| !l.is_empty());
            config.canaries = tokens.map(|l| Secret::new(l.to_owned())).collect();
        }
        config
    }

    fn read(&mut self, at: usize, path: &Path) -> Option<Vec<u8>> {
        match fs::read(self.base.join(path)) {
            Ok(bytes) => Some(bytes),
            Err(e) => self.wrong(
                at,
                format!("`{}` cannot be read: {e}", path.display()),
                "check the path (relative to the configuration file) and its permissions",
            ),
        }
    }

    fn distinct<'n>(&mut self, names: impl Iterator<Item = &'n str>, what: &str) {
        let mut seen = std::collections::BTreeSet::new();
        let twice: Vec<String> = names.filter(|n| !seen.insert(*n)).map(str::to_owned).collect();
        for name in twice {
            let _: Option<()> = self.wrong(0, format!("two {what}s are named `{name}`"), "give each its own name");
        }
    }

    fn take<T, R>(&mut self, raw: &Spanned<R>, result: Result<T, fields::Wrong>) -> Option<T> {
        self.take_at(raw.span().start, result)
    }

    fn take_at<T>(&mut self, at: usize, result: Result<T, fields::Wrong>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(wrong) => self.wrong(at, wrong.what, wrong.fix),
        }
    }

    fn wrong<T>(&mut self, at: usize, what: impl Into<String>, fix: impl Into<String>) -> Option<T> {
        self.problems.push(Problem {
            code: Code::ConfigInvalid,
            file: self.file.into(),
            line: Some(line_of(self.text, at)),
            what: what.into(),
            fix: fix.into(),
        });
        None
    }
}

const CLEARTEXT: &str = "i-accept-cleartext-on-loopback";
