//! Questions written down: for `policy explain`, and with the answer expected, for `policy test`.

use std::{net::IpAddr, sync::Arc};

use countersign_core::{
    Call, Claims, Code, Confirmation, Format, Groups, Kind, Lease, Principal, Taint, Timestamp,
    access::Session,
    life::Peer,
    principal::{Method, Possession, PrincipalKind},
};
use serde::Deserialize;

use crate::{
    administer::Administer,
    facts::{Deed, Facts, Kinds, WEEKDAYS},
    mentions::Mentions,
    policy::{Answer, Named, Policy},
    standing::{Risk, Standing},
};

/// A file of cases: in TOML, `[[case]]` tables.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// The cases, in order.
    pub case: Vec<Case>,
}

/// A question and the answer it should get.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case shows.
    pub name: String,
    /// What is asked.
    pub ask: Question,
    /// What should be answered.
    pub expect: Decision,
}

/// What is asked of a policy. Everything left out is as in an ordinary request.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Question {
    /// The caller's tenant.
    pub tenant: String,
    /// The caller's subject id.
    pub subject: String,
    /// `person`, `service` or `agent`.
    pub kind: String,
    /// The caller's roles.
    pub roles: Vec<String>,
    /// The credential's scopes.
    pub scopes: Vec<String>,
    /// `api-key`, `client-certificate`, `access-token` or `session`.
    pub method: String,
    /// `ask` (may the prompt leave), `receive` (may the answer return), `callTool` (may the answer call `tool`), or an action on
    /// the gateway itself, as `observe`.
    pub action: String,
    /// The model; for actions on the gateway there is none.
    pub model: String,
    /// The format, as in `chat`.
    pub format: String,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// The bound on generated tokens.
    pub max_tokens: Option<u64>,
    /// Names of the tools offered.
    pub tools: Vec<String>,
    /// How many attachments.
    pub attachments: u32,
    /// The listener.
    pub listener: String,
    /// What the caller's access token says; none for other credentials.
    pub token: Option<Token>,
    /// What the request proves to hold: `none`, `certificate` or `dpop`.
    pub possession: String,
    /// The granted access that the request is made on; there when `method` is `session`.
    pub grant: Option<Grant>,
    /// What others say of the caller.
    pub standing: Said,
    /// How far the watch thinks that something is wrong, 0 to 100.
    pub risk: u8,
    /// The caller's address.
    pub ip: Option<IpAddr>,
    /// When.
    pub time: Time,
    /// For `receive`: kinds found in the prompt.
    pub findings: Vec<String>,
    /// For `receive`: whether any of it was masked.
    pub masked: bool,
    /// For `receive`: who answers.
    pub target: String,
    /// For `callTool`: the tool.
    pub tool: String,
    /// For `callTool`: what the context is tainted by, `untrusted` or `finding`.
    pub taint: String,
    /// For `callTool`: whether an argument stands in text that the caller did not write.
    pub copied: bool,
}

/// What an access token says besides roles and subject.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The issuer's name.
    pub issuer: String,
    /// The client that it was issued to.
    pub client: Option<String>,
    /// Authentication context class.
    pub acr: Option<String>,
    /// Authentication methods.
    #[serde(default)]
    pub amr: Vec<String>,
    /// Seconds since it was issued.
    #[serde(default)]
    pub age: u64,
    /// Seconds since its bearer logged in.
    pub login_age: Option<u64>,
    /// Who acts for the bearer, as `TENANT/SUBJECT`.
    #[serde(default)]
    pub acts: Vec<String>,
}

/// Access that was granted for a purpose and a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The name that the configuration gives it.
    pub access: String,
    /// What it was asked for: `model:NAME`, `tool:NAME`, `data:NAME`.
    #[serde(default)]
    pub things: Vec<String>,
    /// Why.
    #[serde(default)]
    pub purpose: String,
    /// Whether it was taken without approval.
    #[serde(default)]
    pub glass: bool,
    /// Who acts for the caller, as `TENANT/SUBJECT`.
    #[serde(default)]
    pub acts: Vec<String>,
}

/// What others say of a principal. What is left out nobody has said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Whether the device meets its owner's rules.
    pub compliant: Option<bool>,
    /// `low`, `medium` or `high`.
    pub risk: Option<String>,
    /// How sure the issuer is of who it is, in the issuer's words.
    pub assurance: Option<String>,
}

/// When a question is asked, UTC: a time of the week, by default Monday at ten, or seconds since 1970.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// `monday` to `sunday`.
    pub weekday: Option<String>,
    /// 0 to 23.
    pub hour: Option<u8>,
    /// 0 to 59.
    pub minute: Option<u8>,
    /// Seconds since 1970; goes before the others.
    pub epoch: Option<u64>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The request or answer passes.
    Allow,
    /// It does not.
    Deny,
}

/// Why a question was answered as it was.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The answer.
    pub decision: Decision,
    /// The code a caller would get; none when allowed.
    pub code: Option<Code>,
    /// The policies that decided; none when no policy fits, or when a scope decided.
    pub because: Vec<Named>,
    /// What went wrong or decided apart from policies.
    pub notes: Vec<String>,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case's name.
    pub name: String,
    /// Whether the answer is the expected one.
    pub passed: bool,
    /// The answer; or what about the case itself is wrong.
    pub explanation: Result<Explanation, BadQuestion>,
}

/// A word in a question that is not one of ours. Whoever wrote the case is at fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{found}` is no {what}; expected {expected}")]
pub struct BadQuestion {
    what: &'static str,
    found: String,
    expected: String,
}

impl Policy {
    /// Asks every case. The rules on attachments and the rates are no part of it.
    #[must_use]
    pub fn test(&self, cases: &[Case]) -> Vec<Outcome> {
        let outcome = |case: &Case| {
            let explanation = self.explain(&case.ask);
            let passed = explanation.as_ref().is_ok_and(|e| e.decision == case.expect);
            Outcome { name: case.name.clone(), passed, explanation }
        };
        cases.iter().map(outcome).collect()
    }

    /// Asks one question and says which policies decided.
    ///
    /// # Errors
    /// When the question holds a word that is none of ours.
    pub fn explain(&self, question: &Question) -> Result<Explanation, BadQuestion> {
        let now = question.time.timestamp()?;
        let who = question.principal(now)?;
        let call = question.call()?;
        let peer = Peer { ip: question.ip, listener: question.listener.as_str().into() };
        let facts = Facts::ask(&who, &peer, &call, now);
        let kinds = question.findings.iter().map(|k| pick("finding", k, &Kind::ALL, |k| k.as_str()).copied());
        let kinds = kinds.collect::<Result<Kinds, _>>()?;
        let possessions = [Possession::None, Possession::Certificate, Possession::Dpop];
        let possession = *pick("possession", &question.possession, &possessions, |p| p.as_str())?;
        let standing = question.standing.standing()?;
        let deeds = [Deed::Ask, Deed::Receive, Deed::CallTool].into_iter();
        let deeds: Vec<_> = deeds.chain(Administer::ALL.iter().copied().map(Deed::Administer)).collect();
        let deed = *pick("action", &question.action, &deeds, |deed| deed.as_str())?;
        let (what, name) = if deed == Deed::CallTool { ("tool", &*question.tool) } else { ("model", &*call.model) };
        if !matches!(deed, Deed::Administer(_)) && name.is_empty() {
            return Err(BadQuestion { what, found: String::new(), expected: "its name".into() });
        }
        let taints = [Taint::Untrusted, Taint::Finding];
        let taint = *pick("taint", &question.taint, &taints, |taint| taint.as_str())?;
        let facts = match deed {
            Deed::Ask => facts,
            Deed::Receive => facts.receive(kinds, question.masked, &question.target),
            Deed::CallTool => {
                let facts = facts.receive(kinds, question.masked, &question.target);
                facts.call(&question.tool, taint, question.copied)
            }
            Deed::Administer(what) => Facts::administer(&who, &peer, now, what),
        };
        let risk = within("risk", question.risk, 100)? as u8;
        let facts = Facts { possession, standing: &standing, risk, ..facts };
        let deny = |code, because, notes| Explanation { decision: Decision::Deny, code: Some(code), because, notes };
        if let Err(reason) = facts.in_scope() {
            return Ok(deny(deed.refused(), Vec::new(), vec![reason.into()]));
        }
        let said = self.ask(&facts, Mentions::ALL);
        let because: Vec<Named> = said.because.iter().copied().cloned().collect();
        let mut notes: Vec<_> = said.failed.iter().map(|policy| format!("{policy} could not be evaluated")).collect();
        if said.answer == Answer::Silent {
            notes.push(String::from("no policy permits it"));
        }
        if let Some(step_up) = &said.step_up {
            notes.push(format!("another authentication would do: {step_up}"));
        }
        Ok(match said.refusal(&facts) {
            Some((code, _)) => deny(code, because, notes),
            None => Explanation { decision: Decision::Allow, code: None, because, notes },
        })
    }
}

impl Default for Question {
    fn default() -> Self {
        Self {
            tenant: "default".into(),
            subject: "someone".into(),
            kind: PrincipalKind::Person.as_str().into(),
            roles: Vec::new(),
            scopes: Vec::new(),
            method: Method::ApiKey.as_str().into(),
            action: Deed::Ask.as_str().into(),
            model: String::new(),
            format: Format::Chat.as_str().into(),
            stream: false,
            max_tokens: None,
            tools: Vec::new(),
            attachments: 0,
            listener: String::new(),
            token: None,
            possession: Possession::None.as_str().into(),
            grant: None,
            standing: Said::default(),
            risk: 0,
            ip: None,
            time: Time::default(),
            findings: Vec::new(),
            masked: false,
            target: String::new(),
            tool: String::new(),
            taint: Taint::Untrusted.as_str().into(),
            copied: false,
        }
    }
}

impl Question {
    fn principal(&self, now: Timestamp) -> Result<Arc<Principal>, BadQuestion> {
        let kinds = [PrincipalKind::Person, PrincipalKind::Service, PrincipalKind::Agent];
        let methods = [Method::ApiKey, Method::ClientCertificate, Method::AccessToken, Method::Session];
        let shared = |names: &[String]| names.iter().map(|name| Arc::from(name.as_str())).collect();
        Ok(Arc::new(Principal {
            tenant: self.tenant.as_str().into(),
            subject: self.subject.as_str().into(),
            kind: *pick("kind of principal", &self.kind, &kinds, |k| k.as_str())?,
            roles: shared(&self.roles),
            scopes: shared(&self.scopes),
            credential: "case".into(),
            method: *pick("method", &self.method, &methods, |m| m.as_str())?,
            claims: self.token.as_ref().map(|token| Arc::new(token.claims(&self.subject, now))),
            session: self.grant.as_ref().map(|grant| Arc::new(grant.session())),
            lease: Arc::new(Lease::new(None)),
        }))
    }

    fn call(&self) -> Result<Call, BadQuestion> {
        Ok(Call {
            format: *pick("format", &self.format, &Format::ALL, |f| f.as_str())?,
            model: self.model.as_str().into(),
            stream: self.stream,
            max_tokens: self.max_tokens,
            tools: self.tools.iter().map(|tool| tool.as_str().into()).collect(),
            attachments: self.attachments,
        })
    }
}

impl Token {
    fn claims(&self, subject: &str, now: Timestamp) -> Claims {
        let ago = |seconds: u64| Timestamp(now.0.saturating_sub(seconds.saturating_mul(1_000_000)));
        Claims {
            issuer: self.issuer.as_str().into(),
            subject: subject.into(),
            client: self.client.as_deref().map(Into::into),
            scopes: Vec::new(),
            roles: Vec::new(),
            groups: Groups::Listed(Vec::new()),
            acr: self.acr.as_deref().map(Into::into),
            amr: self.amr.iter().map(|method| method.as_str().into()).collect(),
            auth_time: self.login_age.map(ago),
            id: None,
            session: None,
            confirmation: None,
            issued: ago(self.age),
            expires: now,
            acts: self.acts.iter().map(|who| who.as_str().into()).collect(),
            extra: Vec::new(),
        }
    }
}

impl Grant {
    fn session(&self) -> Session {
        let shared = |names: &[String]| names.iter().map(|name| Arc::from(name.as_str())).collect();
        Session {
            id: "case".into(),
            case: "case".into(),
            access: self.access.as_str().into(),
            things: shared(&self.things),
            purpose: self.purpose.as_str().into(),
            glass: self.glass,
            acts: shared(&self.acts),
            // What is proved is for `possession` to say.
            bound: Confirmation::Key([0; 32]),
        }
    }
}

impl Said {
    fn standing(&self) -> Result<Standing, BadQuestion> {
        let risk = self.risk.as_deref().map(|risk| pick("risk", risk, &Risk::ALL, |r| r.as_str()).copied());
        let assurance = self.assurance.as_deref().map(Into::into);
        Ok(Standing { compliant: self.compliant, risk: risk.transpose()?, assurance })
    }
}

impl Time {
    fn timestamp(&self) -> Result<Timestamp, BadQuestion> {
        let seconds = match self.epoch {
            Some(epoch) => epoch,
            None => {
                let day = match &self.weekday {
                    None => 0,
                    Some(name) => {
                        let name = pick("weekday", name, &WEEKDAYS, |day| day)?;
                        WEEKDAYS.iter().position(|day| day == name).unwrap_or_default() as u64
                    }
                };
                let hour = within("hour", self.hour.unwrap_or(10), 23)?;
                let minute = within("minute", self.minute.unwrap_or(0), 59)?;
                FIRST_MONDAY + day * 86_400 + hour * 3_600 + minute * 60
            }
        };
        Ok(Timestamp(seconds.saturating_mul(1_000_000)))
    }
}

/// The fifth of January 1970.
const FIRST_MONDAY: u64 = 4 * 86_400;

fn pick<'a, T>(
    what: &'static str,
    found: &str,
    from: &'a [T],
    name: impl Fn(&'a T) -> &'a str,
) -> Result<&'a T, BadQuestion> {
    from.iter().find(|item| name(item) == found).ok_or_else(|| {
        let expected = from.iter().map(name).collect::<Vec<_>>().join(", ");
        BadQuestion { what, found: found.into(), expected }
    })
}

fn within(what: &'static str, found: u8, most: u8) -> Result<u64, BadQuestion> {
    if found > most {
        return Err(BadQuestion { what, found: found.to_string(), expected: format!("0 to {most}") });
    }
    Ok(found.into())
}

#[cfg(test)]
mod tests;
