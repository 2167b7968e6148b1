//! From what a person wrote to what holds. Collects every problem instead of stopping at the first.

use std::{
    collections::BTreeSet,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_core::{Code, Secret};
use countersign_policy::{Policy, Profile, Rates, Settings};
use toml::Spanned;

use super::{
    Config, Home, Problem, fields,
    raw::{RawConfig, RawGuard, RawPolicy},
};
use crate::files;

mod access;
mod archive;
mod budgets;
mod console;
mod doors;
mod evidence;
mod issuers;
mod judge;
mod keys;
mod playbooks;
mod shared;
mod signals;
mod statistics;
mod targets;

/// Reads and checks a configuration file and every file it names. Touches no network and binds nothing.
pub(crate) fn load(file: &Path) -> Result<Config, Vec<Problem>> {
    let (text, raw) = parse(file)?;
    Check { file, text: &text, base: base(file), problems: Vec::new() }.config(raw)
}

/// Where a configuration's state is, reading nothing else of it.
pub(crate) fn place(file: &Path) -> Result<Home, Vec<Problem>> {
    let (text, raw) = parse(file)?;
    let mut check = Check { file, text: &text, base: base(file), problems: Vec::new() };
    match (check.store(raw.store), check.keys(raw.keys.as_ref())) {
        (Some(store), Some(keks)) => {
            Ok(Home { dir: check.base.join(raw.state.get_ref()), node: raw.node.into_inner(), store, keks })
        }
        _ => Err(check.problems),
    }
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

/// Where in the file something stands, in bytes.
type Place = Range<usize>;

impl Check<'_> {
    fn config(mut self, raw: RawConfig) -> Result<Config, Vec<Problem>> {
        for (missing, what) in [(raw.listeners.is_empty(), "listener"), (raw.targets.is_empty(), "target")] {
            if missing {
                self.report(&TOP, format!("there is no [[{what}]]"), "add one; `countersign init` shows how");
            }
        }
        if !countersign_audit::note::is_name(raw.node.get_ref()) {
            self.report(&raw.node.span(), "`node` cannot name an audit log", "write a name without spaces and `+`");
        }
        if let Some(workers) = raw.workers.as_ref().filter(|w| *w.get_ref() == 0) {
            let fix = "write at least 1, or leave it out for one a processor";
            self.report(&workers.span(), "`workers` is 0", fix);
        }
        self.take(&raw.telemetry.span(), fields::telemetry(raw.telemetry.get_ref()));
        let listeners = self.listeners(raw.listeners);
        let targets = self.targets(raw.targets);
        let policy = self.policy(&raw.policy);
        let wanted = &raw.policy.get_ref().profiles;
        let profiles: Vec<Profile> =
            wanted.iter().filter_map(|p| self.take(&p.span(), fields::profile(p.get_ref()))).collect();
        let rules = raw.rules.iter().filter_map(|r| self.take(&r.span(), fields::rule(r.get_ref()))).collect();
        let certificates =
            raw.certificates.iter().filter_map(|c| self.take(&c.span(), fields::certificate(c.get_ref()))).collect();
        let resource = self.resource(raw.resource.as_ref(), &raw.issuers, &raw.access, &raw.receivers);
        let receivers = self.receivers(raw.receivers);
        let issuers = self.issuers(raw.issuers, &listeners);
        self.signals_have_a_door(&listeners, &issuers, &receivers);
        let access = self.access(raw.access);
        let playbooks = self.playbooks(raw.playbooks, raw.channels);
        let exports = self.exports(raw.exports);
        let keep_days = self.keep_days(raw.audit.as_ref());
        let (cosigns, witnesses, archive) = self.evidence(raw.audit, raw.node.get_ref(), &listeners);
        let budgets = self.budgets(raw.budgets, raw.prices, &targets);
        let rates = Rates { budgets, ..fields::rates(&raw.rates) };
        let store = self.store(raw.store);
        let keks = self.keys(raw.keys.as_ref()).flatten();
        let cluster = self.cluster(raw.cluster, &raw.node);
        let policy_files = self.policy_files(raw.console.as_ref(), &raw.policy, cluster.is_some());
        let sign_in = self.sign_in(raw.console.as_ref(), &issuers);
        let mut guard = self.guard(&raw.guard);
        let judge = self.judge(raw.guard.judge.as_ref(), &targets, &mut guard);
        let registered = self.registered(&raw.guard.registered);
        let state = self.base.join(raw.state.get_ref());
        let rules = fields::rules(rules, &profiles);
        guard.names = fields::names(&rules);
        let statistics = self.statistics(raw.statistics.as_ref());
        match (policy, store, statistics, self.problems.is_empty()) {
            (Some(policy), Some(store), Some(statistics), true) => Ok(Config {
                file: self.file.into(),
                home: Home { dir: state, node: raw.node.into_inner(), store, keks },
                cluster,
                workers: raw.workers.map(Spanned::into_inner),
                listeners,
                targets,
                policy: Settings { policy: Arc::new(policy), rules, rates },
                policy_files,
                sign_in,
                guard,
                registered,
                judge,
                values_shown_to: raw.guard.values_shown_to,
                values_kept: raw.guard.values_kept,
                profiles,
                certificates,
                issuers,
                resource,
                receivers,
                access,
                playbooks,
                cosigns,
                witnesses,
                archive,
                keep_days,
                exports,
                statistics,
                telemetry: raw.telemetry.into_inner(),
            }),
            _ => Err(self.problems),
        }
    }

    fn policy(&mut self, raw: &Spanned<RawPolicy>) -> Option<Policy> {
        let files = &raw.get_ref().files;
        if files.is_empty() {
            return self.wrong(&raw.span(), "there is no policy file", "name one; without it nobody may ask anything");
        }
        let mut sources = Vec::new();
        for file in files {
            sources.push((file.get_ref().display().to_string(), self.text(&file.span(), file.get_ref())?));
        }
        match Policy::parse(&sources) {
            Ok(policy) => Some(policy),
            Err(e) => {
                self.problems.extend(fields::policy_problems(&e, &self.base));
                None
            }
        }
    }

    fn guard(&mut self, raw: &RawGuard) -> countersign_guard::Config {
        let mut config = super::unsaid();
        config.strip_logprobs = raw.strip_logprobs;
        for host in &raw.link_hosts {
            config.link_hosts.extend(self.take(&host.span(), fields::host(host.get_ref())));
        }
        if let Some(point) = &raw.false_alarms {
            config.false_alarms = self.take(&point.span(), fields::false_alarms_or_off(point.get_ref())).flatten();
        }
        if let Some(how) = &raw.spotlight {
            config.spotlight = self.take(&how.span(), fields::spotlight(how.get_ref()));
        }
        if let Some(thresholds) = &raw.thresholds {
            config.points = self.take(&thresholds.span(), fields::thresholds(thresholds.get_ref())).unwrap_or_default();
        }
        for path in &raw.protected {
            let Some(text) = self.text(&path.span(), path.get_ref()) else { continue };
            let name = path.get_ref().display().to_string();
            config.protected.push(countersign_guard::Protected { name, text });
        }
        if let Some(path) = &raw.canaries
            && let Some(text) = self.text(&path.span(), path.get_ref())
        {
            let tokens = text.lines().map(str::trim).filter(|l| !l.is_empty());
            config.canaries = tokens.map(|l| Secret::new(l.to_owned())).collect();
            if config.canaries.is_empty() {
                self.report(&path.span(), "the file of `canaries` holds no token", "write one a line, or leave it out");
            }
        }
        config
    }

    /// Indexes are opened with the key of the deployment, later; here it is seen that they are there, and that nobody else changes them.
    fn registered(&mut self, raw: &[Spanned<PathBuf>]) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for named in raw {
            let (at, name) = (named.span(), named.get_ref().display());
            let path = self.base.join(named.get_ref());
            match files::mode(&path) {
                Err(e) => {
                    let fix = "make it with `countersign documents index`";
                    self.report(&at, format!("`{name}` cannot be read: {e}"), fix);
                }
                Ok(mode) if mode & 0o002 != 0 => {
                    self.report(&at, format!("`{name}` can be changed by everyone (mode {mode:o})"), "chmod o-w it");
                }
                Ok(_) => files.push(path),
            }
        }
        files
    }

    /// A file that is named by `path`, which stands at `at`.
    fn read(&mut self, at: &Place, path: &Path) -> Option<Vec<u8>> {
        self.read_as(at, path, &format!("`{}`", path.display()), Privacy::Public)
    }

    fn text(&mut self, at: &Place, path: &Path) -> Option<String> {
        match String::from_utf8(self.read(at, path)?) {
            Ok(text) => Some(text),
            Err(_) => self.wrong(at, format!("`{}` is not UTF-8 text", path.display()), "save it as UTF-8"),
        }
    }

    /// A file that `name` says.
    fn read_as(&mut self, at: &Place, path: &Path, name: &str, privacy: Privacy) -> Option<Vec<u8>> {
        let (bytes, mode) = match files::read(&self.base.join(path)) {
            Ok(read) => read,
            Err(e) => {
                let fix = "check the path (relative to the configuration file) and its permissions";
                return self.wrong(at, format!("{name} cannot be read: {e}"), fix);
            }
        };
        match privacy {
            // A group may hold it: that is how system services are handed keys.
            Privacy::Secret if mode & 0o007 != 0 => self.wrong(
                at,
                format!("{name} holds a secret and is open to everyone (mode {mode:o})"),
                "chmod 600 it, and replace the secret if others may have read it",
            ),
            _ if mode & 0o002 != 0 => {
                self.wrong(at, format!("{name} can be changed by everyone (mode {mode:o})"), "chmod o-w it")
            }
            _ => Some(bytes),
        }
    }

    /// Names that may stand only once, and where each stands.
    fn distinct<'n>(&mut self, what: &str, names: impl Iterator<Item = (&'n str, Place)>) {
        let mut seen = BTreeSet::new();
        for (name, at) in names {
            if name.trim().is_empty() {
                self.report(&at, format!("a {what} has an empty name"), "give it one");
            } else if !seen.insert(name) {
                self.report(&at, format!("two {what}s are named `{name}`"), "give each its own name");
            }
        }
    }

    fn take<T>(&mut self, at: &Place, result: Result<T, fields::Wrong>) -> Option<T> {
        result.map_err(|wrong| self.report(at, wrong.what, wrong.fix)).ok()
    }

    fn wrong<T>(&mut self, at: &Place, what: impl Into<String>, fix: impl Into<String>) -> Option<T> {
        self.report(at, what, fix);
        None
    }

    fn report(&mut self, at: &Place, what: impl Into<String>, fix: impl Into<String>) {
        self.problems.push(Problem {
            code: Code::ConfigInvalid,
            file: self.file.into(),
            line: Some(line_of(self.text, at.start)),
            what: what.into(),
            fix: fix.into(),
        });
    }
}

/// Who may read a file.
enum Privacy {
    Public,
    Secret,
}

/// What concerns the file as a whole.
const TOP: Place = 0..0;

#[cfg(test)]
mod tests;
