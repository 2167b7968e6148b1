//! A set of policies that parses, validates and can be asked.
//!
//! Threat: a policy with a slip in it (a misspelt attribute, a look-alike name, a rule that can never apply) that loads
//! quietly and permits what nobody meant. So everything Cedar's validator so much as warns of is an error here.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    str::FromStr,
};

use cedar_policy::{ActionConstraint, Effect, EntityUid, PolicyId, PolicySet, ffi::DetailedError};
use countersign_core::{Code, StepUp, life::Identified, principal::Method};

use crate::{
    administer::Administer,
    error::{PolicyError, Problem, position},
    facts::{Deed, Facts},
    index::{Heard, Index},
    mentions::Mentions,
    question::Words,
    shape,
    validate::{Validity, names_a_call, names_a_deed, validate},
};

/// What policies may speak of, in Cedar's schema syntax.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

/// The policy file a new deployment starts with. It validates; it permits staff to use any model for text.
pub const STARTER: &str = include_str!("starter.cedar");

/// A valid set of policies. A request no policy permits is refused, and so is one that any policy forbids.
pub struct Policy {
    /// What has a say about models.
    models: Index,
    /// What has a say about the gateway itself: every `forbid`, and each `permit` that names its action.
    gateway: Index,
    /// What has a say about calls of tools: each `forbid` that names the action.
    tools: Index,
    names: HashMap<PolicyId, Named>,
    /// What can let a prompt leave.
    permits: Vec<PolicyId>,
    words: Words,
    mentions: Mentions,
    sources: Vec<(Box<str>, Box<str>)>,
}

/// One policy, for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// Its `@id`, if it has one.
    pub id: Option<String>,
    /// The file it stands in.
    pub file: String,
    /// The line it begins on, from 1.
    pub line: usize,
    /// Whether it forbids rather than permits.
    pub forbids: bool,
    /// Which authentication would keep it from forbidding, by its `@step_up`.
    pub step_up: Option<StepUp>,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => f.write_str(id),
            None => write!(f, "{}:{}", self.file, self.line),
        }
    }
}

/// What a set of policies says to one question.
///
/// Each policy applies, does not apply, or fails. A `forbid` that failed might have applied, so it refuses. A `permit` that failed
/// takes nothing away from one that applies, and opens nothing.
pub(crate) struct Said<'a> {
    pub(crate) answer: Answer,
    /// The policies that decided, in the order they stand; none when none applied.
    pub(crate) because: Vec<&'a Named>,
    /// The policies that could not be evaluated. There may be some whatever the answer.
    pub(crate) failed: Vec<&'a Named>,
    /// What would have to be shown for the answer to be another; none where nothing would help.
    pub(crate) step_up: Option<StepUp>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// A permit applies, and no forbid.
    Permitted,
    /// A forbid applies.
    Forbidden,
    /// Nothing applies.
    Silent,
    /// What decides could not be evaluated.
    Failed,
}

impl Policy {
    /// Reads policies from files, given as (name, text), against [`SCHEMA`].
    ///
    /// # Errors
    /// Everything that is wrong with every file: syntax, types, unknown names, templates, names used twice, policies that can
    /// never apply, mixed scripts and invisible characters, and bounds (256 KiB a file, 16 KiB and 256 operators a policy,
    /// brackets 64 deep, 10,000 policies).
    pub fn parse<N: AsRef<str>, T: AsRef<str>>(sources: &[(N, T)]) -> Result<Self, PolicyError> {
        let sources: Vec<_> = sources.iter().map(|(file, text)| (file.as_ref(), text.as_ref())).collect();
        // On a thread of its own, because Cedar's validator needs more stack than a caller's thread may have.
        let read = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("policy".into()).stack_size(shape::STACK);
            thread.spawn_scoped(scope, || Self::read(&sources)).ok()?.join().ok()
        });
        read.unwrap_or_else(|| {
            let problem = Problem::at("policy", "", 0, "the policies could not be read", "report this defect");
            Err(vec![problem].into())
        })
    }

    fn read(sources: &[(&str, &str)]) -> Result<Self, PolicyError> {
        let mut reading = Reading::default();
        for (file, text) in sources {
            reading.file(file, text);
        }
        if reading.problems.is_empty() {
            reading.validate();
        }
        if !reading.problems.is_empty() {
            return Err(reading.problems.into());
        }
        let Reading { plain, deeds, places, mentions, calls, .. } = reading;
        let all = || plain.policies().chain(deeds.policies());
        let names_action = |p: &&cedar_policy::Policy| {
            p.effect() == Effect::Forbid || !matches!(p.action_constraint(), ActionConstraint::Any)
        };
        let arranged = |index: Result<Index, _>| {
            let same = |_| Problem::at("policy", "", 0, "the policies could not be told apart", "report this defect");
            index.map_err(|error| vec![same(error)])
        };
        let models = arranged(Index::of(all()))?;
        let gateway = arranged(Index::of(all().filter(names_action)))?;
        let tools = arranged(Index::of(deeds.policies().filter(|policy| calls.contains(policy.id()))))?;
        let lets_leave = |p: &&cedar_policy::Policy| {
            let ask = |action: &EntityUid| action.id().unescaped() == Deed::Ask.as_str();
            p.effect() == Effect::Permit
                && match p.action_constraint() {
                    ActionConstraint::Any => true,
                    ActionConstraint::Eq(action) => ask(&action),
                    ActionConstraint::In(actions) => actions.iter().any(ask),
                }
        };
        let permits = all().filter(lets_leave).map(|policy| policy.id().clone()).collect();
        let names = places.into_iter().map(|(id, place)| (id, place.named)).collect();
        let sources = sources.iter().map(|(file, text)| (Box::from(*file), Box::from(*text))).collect();
        Ok(Self { models, gateway, tools, names, permits, words: Words::new(), mentions, sources })
    }

    /// The files that they were read from: name and text, in order.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().map(|(file, text)| (&**file, &**text))
    }

    /// The same policies with another text in one of their files.
    ///
    /// # Errors
    /// As [`Policy::parse`], of the whole set.
    pub fn with(&self, file: &str, text: &str) -> Result<Self, PolicyError> {
        let changed = |(name, old)| (name, if name == file { text } else { old });
        Self::parse(&self.sources().map(changed).collect::<Vec<_>>())
    }

    /// Whether they would permit this to whoever asks now, as far as what others say of them goes for nothing.
    #[must_use]
    pub fn would_permit(&self, who: &Identified, what: Administer) -> bool {
        let facts = Facts::administer(who.principal(), who.peer(), who.at(), what);
        facts.in_scope().is_ok() && self.ask(&facts, Mentions::ALL).answer == Answer::Permitted
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none, so that everything is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The policies that can let a prompt leave, in no order.
    pub fn permits(&self) -> impl Iterator<Item = &Named> {
        self.permits.iter().filter_map(|id| self.names.get(id))
    }

    /// The policies, in the order they stand.
    #[must_use]
    pub fn all(&self) -> Vec<&Named> {
        let mut all: Vec<_> = self.names.values().collect();
        all.sort_by_key(|named| (&named.file, named.line));
        all
    }

    /// Whether any policy has a say about the tools that an answer calls.
    #[must_use]
    pub fn watches_tools(&self) -> bool {
        !self.tools.is_empty()
    }

    /// The attributes of the context that any policy reads, by name.
    #[must_use]
    pub fn reads(&self) -> Vec<&'static str> {
        self.mentions.names()
    }

    /// What of a request the policies can read.
    pub(crate) const fn mentions(&self) -> Mentions {
        self.mentions
    }

    /// Asks the policies about `facts`, showing them what `show` names.
    pub(crate) fn ask(&self, facts: &Facts<'_>, show: Mentions) -> Said<'_> {
        let Some((request, entities)) = self.words.question(facts, show) else {
            return Said { answer: Answer::Failed, because: Vec::new(), failed: Vec::new(), step_up: None };
        };
        let index = match facts.deed {
            Deed::Ask | Deed::Receive => &self.models,
            Deed::CallTool => &self.tools,
            Deed::Administer(_) => &self.gateway,
        };
        let Heard { permits, forbids, failed_permits, failed_forbids } = index.ask(&request, &entities);
        let otherwise_permitted = !permits.is_empty();
        let (answer, because) = if !forbids.is_empty() {
            (Answer::Forbidden, forbids)
        } else if !failed_forbids.is_empty() {
            (Answer::Failed, BTreeSet::new())
        } else if facts.deed == Deed::CallTool {
            // The answer itself has been permitted.
            (Answer::Permitted, BTreeSet::new())
        } else if !permits.is_empty() {
            (Answer::Permitted, permits)
        } else if !failed_permits.is_empty() {
            (Answer::Failed, BTreeSet::new())
        } else {
            (Answer::Silent, BTreeSet::new())
        };
        let because = self.named(&because);
        // Another authentication helps where each policy that forbids says which, and nothing else stands in the way.
        let otherwise = answer == Answer::Forbidden && failed_forbids.is_empty() && otherwise_permitted;
        let step_up = otherwise.then(|| because.iter().map(|named| named.step_up.as_ref()).collect::<Option<Vec<_>>>());
        let step_up = step_up.flatten().and_then(|all| all.into_iter().cloned().reduce(|all, next| all.and(&next)));
        Said { answer, because, failed: self.named(&(&failed_forbids | &failed_permits)), step_up }
    }

    fn named(&self, ids: &BTreeSet<PolicyId>) -> Vec<&Named> {
        let mut named: Vec<&Named> = ids.iter().filter_map(|id| self.names.get(id)).collect();
        named.sort_by_key(|named| (&named.file, named.line));
        named
    }
}

impl Said<'_> {
    /// The code of the refusal and the reason for the record, where it is one.
    pub(crate) fn refusal(&self, facts: &Facts<'_>) -> Option<(Code, String)> {
        let no = match &self.step_up {
            // What an API key or a certificate shows stays what it is, however its bearer signs in.
            Some(_) if facts.who.0.method == Method::AccessToken => Code::StepUpNeeded,
            _ => facts.deed.refused(),
        };
        match self.answer {
            Answer::Permitted => None,
            Answer::Forbidden => Some((no, format!("forbidden by {}", names(&self.because)))),
            Answer::Silent => Some((facts.deed.refused(), String::from("no policy permits it"))),
            // An error's own text can quote what the request holds, so only its policy is named.
            Answer::Failed => {
                let reason = match names(&self.failed) {
                    none if none.is_empty() => String::from("the request could not be put into Cedar's words"),
                    failed => format!("policies that could not be evaluated: {failed}"),
                };
                Some((Code::PolicyFailed, reason))
            }
        }
    }
}

/// The names of policies, for the record.
pub(crate) fn names(of: &[&Named]) -> String {
    of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("policies", &self.len())
            .field("mentions", &self.mentions)
            .finish_non_exhaustive()
    }
}

/// The state of [`Policy::parse`].
#[derive(Default)]
struct Reading<'a> {
    /// Policies that name no action on the gateway, or its first alone.
    plain: PolicySet,
    /// The others.
    deeds: PolicySet,
    /// What of a request they can read.
    mentions: Mentions,
    /// Those that name the call of a tool.
    calls: BTreeSet<PolicyId>,
    places: HashMap<PolicyId, Place<'a>>,
    /// Where each `@id` is used.
    ids: HashMap<String, String>,
    problems: Vec<Problem>,
}

struct Place<'a> {
    named: Named,
    text: &'a str,
    offset: usize,
}

/// More policies than this would take long to read and validate. What a question costs hardly depends on it.
const MOST_POLICIES: usize = 10_000;

impl<'a> Reading<'a> {
    fn file(&mut self, file: &str, text: &'a str) {
        if let Err(misshapen) = shape::check(text) {
            self.problems.push(Problem::at(file, text, misshapen.offset, misshapen.what, misshapen.fix));
            return;
        }
        let set = match PolicySet::from_str(text) {
            Ok(set) => set,
            Err(errors) => {
                let fix = "correct the syntax";
                let problem = |error| Problem::cedar(file, text, 0, fix, &DetailedError::from(error));
                self.problems.extend(errors.iter().map(problem));
                return;
            }
        };
        let offset = |loc: Option<usize>| loc.unwrap_or_default();
        for template in set.templates() {
            let at = offset(template.as_ref().loc().map(|loc| loc.start()));
            let fix = "write the principal or resource out instead of `?principal` or `?resource`";
            self.problems.push(Problem::at(file, text, at, "a template cannot be linked here", fix));
        }
        let mut policies: Vec<_> =
            set.policies().map(|policy| (offset(policy.as_ref().loc().map(|loc| loc.start())), policy)).collect();
        policies.sort_by_key(|(offset, _)| *offset);
        for (offset, policy) in policies {
            self.policy(file, text, offset, policy);
        }
    }

    fn policy(&mut self, file: &str, text: &'a str, offset: usize, policy: &cedar_policy::Policy) {
        let id = policy.annotation("id").map(String::from);
        if let Some(name) = &id {
            if name.is_empty() || name.chars().count() > 100 || name.chars().any(|c| c.is_control() || c == ',') {
                let fix = "use 1 to 100 characters, no comma";
                self.problems.push(Problem::at(file, text, offset, "an `@id` that cannot stand in a record", fix));
                return;
            }
            let place = format!("{file}:{}", position(text, offset).0);
            if let Some(other) = self.ids.insert(name.clone(), place) {
                let what = format!("`@id(\"{name}\")` is used at {other} already");
                self.problems.push(Problem::at(file, text, offset, what, "give each policy a name of its own"));
                return;
            }
        }
        let step_up = match policy.annotation("step_up").map(str::parse::<StepUp>).transpose() {
            Ok(step_up) => step_up,
            Err(error) => {
                let what = "a `@step_up` that says no authentication";
                self.problems.push(Problem::at(file, text, offset, what, error.to_string()));
                return;
            }
        };
        if step_up.is_some() && policy.effect() == Effect::Permit {
            let fix = "annotate the forbid that another authentication would satisfy";
            self.problems.push(Problem::at(file, text, offset, "a `@step_up` on a permit says nothing", fix));
            return;
        }
        if self.places.len() == MOST_POLICIES {
            let what = format!("more than {MOST_POLICIES} policies");
            self.problems.push(Problem::at(file, text, offset, what, "join policies that differ in names only"));
        }
        let unique = PolicyId::new(format!("policy{}", self.places.len()));
        let (line, forbids) = (position(text, offset).0, policy.effect() == Effect::Forbid);
        let named = Named { id, file: file.into(), line, forbids, step_up };
        // A form we cannot look into may name anything and read everything.
        let json = policy.to_json().ok();
        if json.as_ref().is_none_or(names_a_call) {
            if policy.effect() == Effect::Permit {
                let fix = "write a forbid with `unless`: what may return may call tools where none forbids it";
                self.problems.push(Problem::at(file, text, offset, "a permit of `callTool` says nothing", fix));
                return;
            }
            self.calls.insert(unique.clone());
        }
        let set = if json.as_ref().is_none_or(names_a_deed) { &mut self.deeds } else { &mut self.plain };
        if self.places.len() >= MOST_POLICIES || set.add(policy.new_id(unique.clone())).is_err() {
            return;
        }
        self.mentions = self.mentions.and(json.as_ref().map_or(Mentions::ALL, Mentions::of));
        self.places.insert(unique, Place { named, text, offset });
    }

    fn validate(&mut self) {
        let Validity { whole, found } = match validate(&self.plain, &self.deeds) {
            Ok(validity) => validity,
            Err(problem) => return self.problems.push(problem),
        };
        let mut problems = Vec::new();
        for (id, error) in found {
            let Some(place) = self.places.get(&id) else { continue };
            let fix = "write what the policy schema offers";
            problems.push(Problem::cedar(&place.named.file, place.text, place.offset, fix, &error));
        }
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        problems.dedup();
        self.problems = problems;
        // INVARIANT: a set that does not validate never leaves `parse`, whatever became of its messages.
        if self.problems.is_empty() && !whole {
            self.problems.push(Problem::at("policy", "", 0, "the policies do not validate", "report this defect"));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
