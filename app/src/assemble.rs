//! Puts the stages together from the configuration and the state. The one place that issues stamps.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use countersign_audit::{Audit, DiskDir, Keys, MemoryDir, witness::Witness};
use countersign_core::{
    Action, Code, Secret,
    life::{Stamp, Stamps, stage},
    principal::PrincipalKind,
};
use countersign_gateway::{Assessor, Desk, Gateway, Limits, Stages, selftest};
use countersign_guard::Guard;
use countersign_identity::{
    Identity, Outside,
    key::{self, NewKey},
};
use countersign_policy::{
    ActionRule, Policy, Rates, Rules, Settings, Stage,
    budget::{Purse, Till},
};
use countersign_provider::{Dial, Dialer, Provider, Target};
use countersign_seal::{DataKeys, KeyRing};
use countersign_vault::Tokens;
use tracing::instrument::WithSubscriber;

use crate::{
    admin::{Admin, Front},
    archive::Archive,
    beside, clock,
    cluster::Cluster,
    cmd::Failure,
    config::{self, Config, Key, Signing, Told},
    console::Console,
    export::{Export, To},
    feed::Feed,
    force::Force,
    issuers::{Issuers, askers},
    playbooks::Playbooks,
    policies::Policies,
    registered,
    sign_in::SignIn,
    signals::{
        poll::Poll,
        rsa,
        send::{Push, Receiver, Speaker, Way},
    },
    spending::Accounts,
    state::State,
    unused::Given,
    watch::{Shelf, Watch},
    witness::{Asked, Own},
};

/// The running whole: the gateway, what it was configured with, and the state that outlives both.
pub(crate) struct Assembly {
    gateway: Arc<Gateway>,
    state: Arc<State>,
    force: Arc<Force>,
    issuers: Arc<Issuers>,
    accounts: Accounts,
    cluster: Option<Cluster>,
    /// Where the store and Redis were at the start.
    shared: String,
    receivers: ArcSwap<Vec<Arc<Receiver>>>,
    polls: ArcSwap<Vec<Arc<Poll>>>,
    playbooks: ArcSwap<Playbooks>,
    witnesses: ArcSwap<Vec<Asked>>,
    exports: ArcSwap<Vec<Exporting>>,
    archive: ArcSwap<Option<Archive>>,
    keep_days: ArcSwap<Option<u32>>,
    witness: Own,
    feed: Arc<Feed>,
    console: Arc<Console>,
    pub(crate) watch: Arc<Watch>,
    policies: Arc<Policies>,
}

impl Assembly {
    /// Builds every stage; nothing is bound and no provider is called.
    pub(crate) async fn new(config: &Config, state: State) -> anyhow::Result<Self> {
        let clock = clock::system();
        let stamps = Stamps::issue();
        let keys = Keys { ring: state.ring().clone(), data: state.data().clone(), origin: state.node().to_owned() };
        let issuers = Arc::<Issuers>::default();
        let cluster = config.cluster.as_ref().map(|redis| Cluster::new(redis, &state)).transpose()?;
        let mut outside = Outside { introspect: issuers.clone(), ..Outside::default() };
        if let Some(cluster) = &cluster {
            outside.replays = cluster.replays();
        }
        let identity = Identity::new(stamps.identify, state.ring(), config.certificates.clone(), outside)?;
        let (identity, state) = (Arc::new(identity), Arc::new(state));
        let force = Arc::new(Force::new(state.clone(), identity.clone()));
        force.provision(config.directory());
        force.refresh().await?;
        issuers.set(identity.tokens(), &config.issuers, askers(config, &state)?)?;
        let targets = targets(config, &state)?;
        let receivers = receivers(config, &state).await?;
        let polls = ArcSwap::from_pointee(polls(config, &state)?);
        let playbooks = ArcSwap::from_pointee(playbooks(config, &state)?);
        let dir = Arc::new(DiskDir::open(state.audit_dir())?);
        let audit = Arc::new(Audit::open(stamps.intend, dir.clone(), keys, clock.clone())?);
        beside::record(&state, &audit, clock::now()).await?;
        let (accounts, book) = Accounts::restore(state.store().clone(), state.node(), &*dir, &audit).await?;
        let policy = Stage::new(stamps.permit, stamps.reserve, config.policy.clone());
        let till: Arc<dyn Till> = match &cluster {
            Some(cluster) => {
                force.tell_others(cluster.announce());
                cluster.till(state.node(), accounts.opened(), dir, audit.clone()).await
            }
            None => Arc::new(Purse::new(book)),
        };
        let policy = Arc::new(policy.with_till(till));
        let feed = Arc::<Feed>::default();
        let console = Arc::<Console>::default();
        if config.listeners.iter().any(|listener| listener.admin) {
            console.begin(&feed, &audit);
        }
        let watch = Arc::new(Watch::new(policy.standings().clone(), Shelf::new(state.dir(), state.ring().clone())));
        let policies = Arc::new(Policies::new(state.dir()));
        let exports = ArcSwap::from_pointee(exports(config, &state)?);
        let witness = Own::default();
        let cosigning = witness.by(config, &state)?;
        let stages = Stages {
            desk: desk(
                config,
                &state,
                &force,
                &identity,
                &policy,
                &audit,
                Besides {
                    receivers: &receivers,
                    witness: cosigning,
                    console: &console,
                    watch: &watch,
                    policies: &policies,
                    sign_in: SignIn::new(config, &state)?,
                },
            ),
            identity,
            policy,
            guard: Arc::new(with_vault(guards(stamps.screen, with_registered(config, &state).await?)?, config, &state)),
            provider: Arc::new(Provider::new(stamps.dispatch, targets.clone(), dialer(&targets)?, clock.clone())?),
            audit,
            assessor: assessor(config),
            resource: config.resource.clone(),
            onlooker: Some(feed.clone()),
        };
        let gateway = Gateway::new(stamps.speak, stages, Limits::default(), clock, Box::new(clock::random));
        watch.begin(&feed, gateway.metrics().watched());
        force.tell(&gateway);
        // What only the gateway's policy can hold.
        force.refresh().await?;
        Ok(Self {
            gateway,
            state,
            force,
            issuers,
            accounts,
            cluster,
            shared: config.shared(),
            polls,
            playbooks,
            witnesses: ArcSwap::from_pointee(config.witnesses.clone()),
            exports,
            archive: ArcSwap::from_pointee(config.archive.clone()),
            keep_days: ArcSwap::from_pointee(config.keep_days),
            witness,
            receivers: ArcSwap::from_pointee(receivers),
            feed,
            console,
            watch,
            policies,
        })
    }

    /// The gateway.
    pub(crate) const fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// The state.
    pub(crate) const fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Where the keys of issuers come from.
    pub(crate) const fn issuers(&self) -> &Arc<Issuers> {
        &self.issuers
    }

    /// What goes on here.
    pub(crate) const fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// What the console shows.
    pub(crate) const fn console(&self) -> &Arc<Console> {
        &self.console
    }

    /// What changes the policies.
    pub(crate) const fn policies(&self) -> &Arc<Policies> {
        &self.policies
    }

    /// What of the store is in force here.
    pub(crate) const fn force(&self) -> &Arc<Force> {
        &self.force
    }

    /// Who is told what is revoked here.
    pub(crate) fn receivers(&self) -> Arc<Vec<Arc<Receiver>>> {
        self.receivers.load_full()
    }

    /// The issuers that are asked for their events.
    pub(crate) fn polls(&self) -> Arc<Vec<Arc<Poll>>> {
        self.polls.load_full()
    }

    /// Who is handed on what is on record, and the tokens for that.
    pub(crate) fn exports(&self) -> Arc<Vec<Exporting>> {
        self.exports.load_full()
    }

    /// For how many days records are kept.
    pub(crate) fn keep_days(&self) -> Option<u32> {
        **self.keep_days.load()
    }

    /// Where the audit log is copied to.
    pub(crate) fn archive(&self) -> Arc<Option<Archive>> {
        self.archive.load_full()
    }

    /// Who cosigns the checkpoints of the audit log.
    pub(crate) fn witnesses(&self) -> Arc<Vec<Asked>> {
        self.witnesses.load_full()
    }

    /// What is done about alerts.
    pub(crate) fn playbooks(&self) -> Arc<Playbooks> {
        self.playbooks.load_full()
    }

    /// What is shared with other nodes, where there are any.
    pub(crate) const fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// What budgets have spent.
    pub(crate) const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Puts another configuration in place of the one that runs. Everything that can fail comes first, so that a
    /// configuration that does not hold changes nothing.
    ///
    /// Issuers, certificate rules and policy are replaced before guards and targets, and not with them in one stroke: they are
    /// shared with the requests in flight, which are to be asked about again by the new policy, and with the rates used up so
    /// far. A request that comes in between is treated as one in flight: by the new policy, with the guards and targets
    /// that were there when it came.
    pub(crate) async fn apply(&self, config: &Config) -> anyhow::Result<()> {
        if config.shared() != self.shared {
            return Err(Failure {
                code: Code::ConfigInvalid,
                what: "`[store]` or `[cluster]` is another than the one that runs".into(),
                fix: "restart to serve with another, or write what it was",
            }
            .into());
        }
        if config.home.dir != self.state.dir() || config.home.node != self.state.node() {
            return Err(Failure {
                code: Code::ConfigInvalid,
                what: "`state` or `node` is another than the one that runs".into(),
                fix: "restart to serve with another state, or write what it was",
            }
            .into());
        }
        prove(config).await?;
        let stamps = Stamps::issue();
        let targets = targets(config, &self.state)?;
        let (receivers, polls) = (receivers(config, &self.state).await?, polls(config, &self.state)?);
        let playbooks = playbooks(config, &self.state)?;
        let guard = guards(stamps.screen, with_registered(config, &self.state).await?)?;
        let guard = Arc::new(with_vault(guard, config, &self.state));
        let provider = Provider::new(stamps.dispatch, targets.clone(), dialer(&targets)?, clock::system())?;
        let sign_in = SignIn::new(config, &self.state)?;
        let (cosigning, exports) = (self.witness.by(config, &self.state)?, exports(config, &self.state)?);
        let old = self.gateway.stages();
        self.issuers.set(old.identity.tokens(), &config.issuers, askers(config, &self.state)?)?;
        old.identity.set_rules(config.certificates.clone());
        self.force.provision(config.directory());
        self.state.unwrap_by(config.home.keks.clone());
        old.policy.replace(config.policy.clone());
        self.gateway.replace(Stages {
            desk: desk(
                config,
                &self.state,
                &self.force,
                &old.identity,
                &old.policy,
                &old.audit,
                Besides {
                    receivers: &receivers,
                    witness: cosigning,
                    console: &self.console,
                    watch: &self.watch,
                    policies: &self.policies,
                    sign_in,
                },
            ),
            identity: old.identity.clone(),
            policy: old.policy.clone(),
            guard,
            provider: Arc::new(provider),
            audit: old.audit.clone(),
            assessor: assessor(config),
            resource: config.resource.clone(),
            onlooker: old.onlooker.clone(),
        });
        self.receivers.store(Arc::new(receivers));
        self.polls.store(Arc::new(polls));
        self.playbooks.store(Arc::new(playbooks));
        self.witnesses.store(Arc::new(config.witnesses.clone()));
        self.exports.store(Arc::new(exports));
        self.archive.store(Arc::new(config.archive.clone()));
        self.keep_days.store(Arc::new(config.keep_days));
        Ok(())
    }
}

/// What the desk speaks of besides the stages.
struct Besides<'a> {
    receivers: &'a [Arc<Receiver>],
    witness: Option<Arc<Witness>>,
    console: &'a Arc<Console>,
    watch: &'a Arc<Watch>,
    policies: &'a Arc<Policies>,
    sign_in: Option<Arc<SignIn>>,
}

/// Who serves what is asked of the gateway itself, where a listener takes it.
fn desk(
    config: &Config,
    state: &Arc<State>,
    force: &Arc<Force>,
    identity: &Arc<Identity>,
    policy: &Arc<Stage>,
    audit: &Arc<Audit>,
    Besides { receivers, witness, console, watch, policies, sign_in }: Besides<'_>,
) -> Option<Arc<dyn Desk>> {
    let listeners: Vec<_> = config.listeners.iter().filter(|l| l.admin).map(|l| l.name.clone()).collect();
    if listeners.is_empty() {
        return None;
    }
    Some(Arc::new(Front(Arc::new(Admin {
        listeners,
        state: state.clone(),
        force: force.clone(),
        identity: identity.clone(),
        policy: policy.clone(),
        audit: audit.clone(),
        policies: policies.clone(),
        sign_in,
        policy_files: config.policy_files.clone(),
        access: config.access.clone(),
        statistics: config.statistics,
        models: config.targets.iter().flat_map(|t| t.target.models.iter().map(|m| m.name.clone())).collect(),
        given: Given::by(config),
        receivers: receivers.to_vec(),
        signals: config.issuers.iter().filter_map(|issuer| issuer.signals.clone()).collect(),
        witness,
        console: console.clone(),
        watch: watch.clone(),
        origin: config.resource.as_ref().map(|resource| resource.origin().into()),
    }))))
}

/// How another model is asked about what the guards doubt, where one is.
fn assessor(config: &Config) -> Option<Arc<Assessor>> {
    let judge = config.judge.as_ref()?;
    Some(Arc::new(Assessor::new(judge.model.clone(), judge.within, judge.concurrent, judge.on_failure)))
}

/// Who is told what is revoked here, with their tokens, unsealed where they are sealed.
async fn receivers(config: &Config, state: &State) -> anyhow::Result<Vec<Arc<Receiver>>> {
    let Some(resource) = &config.resource else { return Ok(Vec::new()) };
    let issuers = config.issuers.iter().map(|i| (i.issuer.name.clone(), i.issuer.url.clone())).collect();
    let rsa = match config.receivers.iter().any(|receiver| receiver.signing == Signing::Rs256) {
        true => rsa::keys(state).await?,
        false => Vec::new(),
    };
    let words = Arc::new(Speaker { origin: resource.origin().into(), issuers, ring: state.ring().clone(), rsa });
    let receiver = |r: &config::Receiver| {
        let way = match &r.way {
            Told::Polled(who) => Way::Polled(who.clone()),
            Told::Pushed { at, token, ca } => {
                let token = token.as_ref().map(|key| bearer(key, &format!("receiver `{}`", r.name), state));
                let token = token.transpose()?;
                Way::Push(Push { at: at.clone(), token, ca: ca.clone() })
            }
        };
        Ok(Arc::new(Receiver::new(r.name.clone(), r.audience.clone(), r.signing, way, words.clone())))
    };
    config.receivers.iter().map(receiver).collect()
}

/// An export, with its token.
pub(crate) type Exporting = (Export, Option<Secret<String>>);

/// Who is handed on what is on record, with their tokens, unsealed where they are sealed.
fn exports(config: &Config, state: &State) -> anyhow::Result<Vec<Exporting>> {
    let with_token = |export: &Export| {
        let To::Post(_, Some(key)) = &export.to else { return Ok((export.clone(), None)) };
        Ok((export.clone(), Some(bearer(key, &format!("export `{}`", export.name), state)?)))
    };
    config.exports.iter().map(with_token).collect()
}

/// The issuers that are asked for their events.
fn polls(config: &Config, state: &State) -> anyhow::Result<Vec<Arc<Poll>>> {
    let mut polls = Vec::new();
    for issuer in &config.issuers {
        let Some(signals) = &issuer.signals else { continue };
        let Some((at, token)) = &signals.poll else { continue };
        let token =
            token.as_ref().map(|key| bearer(key, &format!("issuer `{}`", signals.issuer), state)).transpose()?;
        polls.push(Arc::new(Poll::new(issuer.source.clone(), signals.audiences.clone(), at.clone(), token)));
    }
    Ok(polls)
}

/// Playbooks and channels, with their secrets.
fn playbooks(config: &Config, state: &State) -> anyhow::Result<Playbooks> {
    Playbooks::new(&config.playbooks, |key, whose| bearer(key, whose, state))
}

/// A token for somebody, unsealed where it is sealed.
fn bearer(key: &Key, whose: &str, state: &State) -> anyhow::Result<Secret<String>> {
    match key {
        Key::Known(token) => Ok(token.clone()),
        Key::Sealed(name) => Ok(state.secrets()?.get(state.ring(), name).map_err(|e| Failure {
            code: Code::ConfigInvalid,
            what: format!("{whose}: its sealed token: {e}"),
            fix: "see `countersign secret list`, and `countersign secret set NAME`",
        })?),
    }
}

/// What the guards know, the registered texts included.
async fn with_registered(config: &Config, state: &State) -> anyhow::Result<countersign_guard::Config> {
    // A large index is read for a second, and streams go on meanwhile.
    let (files, ring) = (config.registered.clone(), state.ring().clone());
    let registered = tokio::task::spawn_blocking(move || registered::open(&files, &ring)).await??;
    Ok(countersign_guard::Config { registered, ..config.guard.clone() })
}

/// Looks whether the guards can work with what is configured for them.
pub(crate) fn try_guards(config: &Config) -> anyhow::Result<()> {
    guard(config.guard.clone()).map(drop)
}

/// A guard that stands before no gateway, for looking at texts.
pub(crate) fn guard(config: countersign_guard::Config) -> anyhow::Result<Guard> {
    Ok(guards(Stamps::issue().screen, config)?)
}

/// Drives a canary through everything that is configured; refuses a configuration that does not enforce.
pub(crate) async fn prove(config: &Config) -> anyhow::Result<usize> {
    let report = self_test(config).await?;
    let Some((case, why)) = report.failed.first() else { return Ok(report.enforced) };
    Err(Failure {
        code: Code::SelfTestFailed,
        what: format!(
            "{} of {} cases are not enforced; the first is `{case}`: {why}",
            report.failed.len(),
            report.failed.len() + report.enforced
        ),
        fix: "see `countersign doctor` for all of them; nothing is served until each holds",
    }
    .into())
}

/// Runs the self-test on stages made from `config`, with an actor for every provider and an audit log in memory. Each target
/// is tested by itself: of several that serve a model only one would be asked.
pub(crate) async fn self_test(config: &Config) -> anyhow::Result<selftest::Report> {
    // Nothing of the self-test outlives it, its keys included.
    let ring = Arc::new(KeyRing::from_bytes(KeyRing::generate()?)?);
    let data = Arc::new(DataKeys::passing(&ring)?);
    let hasher = ring.hasher(key::PURPOSE)?;
    let (text, record) = key::create(
        &hasher,
        NewKey {
            tenant: "self-test".into(),
            subject: "self-test".into(),
            kind: PrincipalKind::Service,
            roles: vec!["self-test".into()],
            scopes: Vec::new(),
            expires: None,
            now: clock::now(),
            note: String::new(),
        },
    )?;
    let [one, other] = [(); 2].map(|()| u128::from_be_bytes(clock::random()));
    let canary = format!("canary-{one:032x}{other:032x}");
    let mut guard = config.guard.clone();
    guard.canaries.push(Secret::new(canary.clone()));
    let guard = Arc::new(guards(Stamps::issue().screen, guard)?);
    let build = |target: &Target, action: Action, dial: Arc<dyn Dial>| -> Result<Arc<Gateway>, String> {
        let stamps = Stamps::issue();
        let clock = clock::system();
        let say = |e: &dyn std::fmt::Display| e.to_string();
        let identity = Identity::new(stamps.identify, &ring, Vec::new(), Outside::default()).map_err(|e| say(&e))?;
        identity.load(vec![record.clone()]);
        let keys = Keys { ring: ring.clone(), data: data.clone(), origin: "self-test".into() };
        let stages = Stages {
            identity: Arc::new(identity),
            policy: Arc::new(Stage::new(stamps.permit, stamps.reserve, open_policy(config, action)?)),
            guard: guard.clone(),
            provider: Arc::new(
                Provider::new(stamps.dispatch, vec![target.clone()], dial, clock.clone()).map_err(|e| say(&e))?,
            ),
            audit: Arc::new(
                Audit::open(stamps.intend, Arc::new(MemoryDir::default()), keys, clock.clone()).map_err(|e| say(&e))?,
            ),
            assessor: None,
            resource: None,
            desk: None,
            onlooker: None,
        };
        // Nobody is at the other end of a connection that is cut here.
        let limits = Limits { last_words: Duration::ZERO, ..Limits::default() };
        Ok(Gateway::new(stamps.speak, stages, limits, clock, Box::new(clock::random)))
    };
    let mut report = selftest::Report::default();
    for target in &config.targets {
        let target = &target.target;
        let models: Vec<Arc<str>> = target.models.iter().map(|m| m.name.clone()).collect();
        let build = |action, dial| build(target, action, dial);
        let kit = selftest::Kit { canary: &canary, key: text.expose(), models: &models, build: &build };
        // What it refuses is no news; what it finds is reported.
        let quiet = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
        let proved = selftest::prove(&kit).with_subscriber(quiet).await;
        let proved = proved.map_err(|why| anyhow::anyhow!("the self-test cannot run: {why}"))?;
        report.enforced += proved.enforced;
        let named = |(case, why)| (case, format!("{why} (target `{}`)", target.name));
        report.failed.extend(proved.failed.into_iter().map(named));
    }
    Ok(report)
}

/// The configured rules, after one for the canary and one for each guess about the words around it: how likely the self-test's own
/// text is to be an attack says nothing about whether rules are enforced. A policy that permits the self-test; no rates.
fn open_policy(config: &Config, action: Action) -> Result<Settings, String> {
    let policy = Policy::parse(&[("self-test", "permit (principal, action, resource);")]).map_err(|e| e.to_string())?;
    let guess = |rule: &str| ActionRule { rule: Some(rule.into()), ..ActionRule::any(Action::Allow) };
    let mut actions = vec![selftest::rule(action), guess("injection/learned"), guess("injection/planted")];
    actions.extend(config.policy.rules.actions.iter().cloned());
    Ok(Settings { policy: Arc::new(policy), rules: Rules { actions }, rates: Rates::default() })
}

/// The targets with their keys, unsealed where they are sealed.
pub(crate) fn targets(config: &Config, state: &State) -> anyhow::Result<Vec<Target>> {
    let book = state.secrets()?;
    let with_key = |t: &crate::config::Target| {
        let mut target = t.target.clone();
        target.key = match &t.key {
            None => None,
            Some(Key::Known(key)) => Some(key.clone()),
            Some(Key::Sealed(name)) => Some(book.get(state.ring(), name).map_err(|e| Failure {
                code: Code::ConfigInvalid,
                // The name is not told: the key itself may have been written in its place.
                what: format!("target `{}`: its sealed key: {e}", target.name),
                fix: "see `countersign secret list`, and `countersign secret set NAME`",
            })?),
        };
        Ok(target)
    };
    config.targets.iter().map(with_key).collect()
}

/// The guards, or what of the configuration they cannot work with.
fn guards(stamp: Stamp<stage::Screen>, config: countersign_guard::Config) -> Result<Guard, Failure> {
    Guard::new(stamp, config).map_err(|e| Failure {
        code: Code::ConfigInvalid,
        what: format!("`[guard]`: {e}"),
        fix: "see the files that `protected` and `canaries` name",
    })
}

/// With what makes stand-ins, where a rule asks for any.
fn with_vault(guard: Guard, config: &Config, state: &State) -> Guard {
    if !config.tokenizes() {
        return guard;
    }
    let tokens = Tokens::new(state.data().clone(), config.values_shown_to.clone());
    guard.with_vault(Arc::new(if config.values_kept { tokens.keeping() } else { tokens }))
}

fn dialer(targets: &[Target]) -> anyhow::Result<Arc<dyn Dial>> {
    Ok(Arc::new(Dialer::new(targets)?))
}
