//! Legal holds: what they cover, and what they stop. While one is in force, no record that it covers is given up for its age, and no
//! key is destroyed under which such a record may be sealed.

use std::{sync::Arc, time::Duration};

use countersign_audit::record::{Members, Record};
use countersign_core::Timestamp;
use countersign_seal::Scope;
use countersign_store::HoldRecord;

use crate::{
    admin::{ask::new_id, restraints::said},
    clock,
};

/// A hold that somebody asks for.
pub(crate) struct Wanted {
    pub(crate) tenant: Option<String>,
    pub(crate) person: Option<String>,
    /// A day, or a moment, in RFC 3339.
    pub(crate) from: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) reason: String,
}

impl Wanted {
    /// What is to be kept of it.
    ///
    /// # Errors
    /// What is wrong with it, in words for whoever asks.
    pub(crate) fn record(&self, by: &str, now: Timestamp) -> Result<HoldRecord, &'static str> {
        said(&self.reason)?;
        let named = |name: &Option<String>, most: usize| name.as_ref().is_none_or(|n| (1..=most).contains(&n.len()));
        if !named(&self.tenant, 256) || !named(&self.person, 1024) {
            return Err("a name is empty or too long");
        }
        if self.tenant.is_none() && self.person.is_some() {
            return Err("a person is somebody's: say which tenant's");
        }
        let from = self.from.as_deref().map(moment).transpose()?;
        let until = self.until.as_deref().map(moment).transpose()?;
        if from.zip(until).is_some_and(|(from, until)| from >= until) {
            return Err("the time ends before it begins");
        }
        Ok(HoldRecord {
            id: new_id("hol_", now).into(),
            tenant: self.tenant.as_deref().map(Arc::from),
            subject: self.person.as_deref().map(Arc::from),
            from,
            until,
            reason: self.reason.clone(),
            by: by.into(),
            at: now,
            asked: None,
            released: None,
        })
    }
}

/// Whether a record must not be given up.
pub(crate) fn covers(hold: &HoldRecord, record: &Record) -> bool {
    let at = Timestamp(record.at());
    let in_time = hold.from.is_none_or(|from| from <= at) && hold.until.is_none_or(|until| at < until);
    in_time
        && match (&hold.tenant, whose(record)) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(held), Some((tenant, subject))) => {
                **held == *tenant && hold.subject.as_ref().is_none_or(|held| **held == *subject)
            }
        }
}

/// Whether keys must not be destroyed: what is sealed under them may be of any time.
pub(crate) fn stops(hold: &HoldRecord, scope: &Scope<'_>) -> bool {
    // A scope without a subject is all of the tenant.
    let both = |held: &str, asked: &str| asked.is_empty() || held == asked;
    hold.tenant.as_ref().is_none_or(|tenant| **tenant == *scope.tenant)
        && hold.subject.as_ref().is_none_or(|held| both(held, scope.subject))
}

/// What the record of a change says of a hold.
pub(crate) fn members(of: &HoldRecord) -> Members {
    let mut members = Members::from([
        ("covers".into(), said_of(of)),
        ("reason".into(), of.reason.clone()),
        ("released".into(), of.released.as_ref().map_or_else(|| "no".to_owned(), |(at, _)| clock::rfc3339(*at))),
    ]);
    if let Some((at, by, why)) = &of.asked {
        members.insert("release asked".into(), format!("{} by {by}: {why}", clock::rfc3339(*at)));
    }
    members
}

/// What it covers, in words.
pub(crate) fn said_of(of: &HoldRecord) -> String {
    let whose = match (&of.tenant, &of.subject) {
        (None, _) => "everybody".to_owned(),
        (Some(tenant), None) => format!("tenant {tenant:?}"),
        (Some(tenant), Some(subject)) => format!("tenant {tenant:?} person {subject:?}"),
    };
    let from = of.from.map(|at| format!(" from {}", clock::rfc3339(at))).unwrap_or_default();
    let until = of.until.map(|at| format!(" until {}", clock::rfc3339(at))).unwrap_or_default();
    format!("{whose}{from}{until}")
}

/// Who asked for a release before this has to ask again.
pub(crate) const fn lapsed(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(AGREE.as_micros() as u64))
}

/// Whose record it is.
fn whose(record: &Record) -> Option<(&str, &str)> {
    let who = match record {
        Record::Intent(r) => &r.who,
        Record::Refused(r) => r.who.as_ref()?,
        Record::Answered(r) => &r.who,
        Record::Changed(r) => &r.who,
        Record::Outcome(r) => return Some((&r.tenant, &r.subject)),
        Record::Opened(_) | Record::Strangers(_) | Record::Gap(_) | Record::GivenUp(_) => return None,
    };
    Some((&who.tenant, &who.subject))
}

/// A day begins at midnight UTC.
fn moment(text: &str) -> Result<Timestamp, &'static str> {
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp());
    let at = text.parse::<jiff::Timestamp>().ok().or_else(day);
    let micros = at.and_then(|at| u64::try_from(at.as_microsecond()).ok());
    micros.map(Timestamp).ok_or("a time is written like 2026-01-31 or 2026-01-31T12:00:00Z")
}

/// So long a first word for a release waits for the second.
const AGREE: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use countersign_audit::record::{Gap, Outcome};

    use super::*;

    fn wanted(tenant: Option<&str>, person: Option<&str>, from: Option<&str>, until: Option<&str>) -> Wanted {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Wanted { tenant: own(tenant), person: own(person), from: own(from), until: own(until), reason: "why".into() }
    }

    fn hold(tenant: Option<&str>, person: Option<&str>, from: Option<&str>, until: Option<&str>) -> HoldRecord {
        wanted(tenant, person, from, until).record("a/b", Timestamp(7)).unwrap()
    }

    fn of(tenant: &str, subject: &str, at: &str) -> Record {
        Record::Outcome(Outcome {
            request: countersign_core::RequestId::new(Timestamp(1), [0; 10]),
            intent: 0,
            at: moment(at).unwrap().0,
            tenant: tenant.into(),
            subject: subject.into(),
            conversation: None,
            status: 200,
            code: None,
            reason: None,
            target: None,
            upstream_called: true,
            findings: countersign_audit::record::Findings::default(),
            judged: None,
            input_tokens: None,
            output_tokens: None,
            back: Default::default(),
            bytes: 0,
            duration: 0,
            answer: None,
        })
    }

    #[test]
    fn it_covers_whom_and_when_it_says_and_nothing_else() {
        let spring = hold(Some("bank"), Some("ann"), Some("2026-03-01"), Some("2026-06-01T00:00:00Z"));
        let cases = [
            ("bank", "ann", "2026-03-01T00:00:00Z", true),
            ("bank", "ann", "2026-05-31T23:59:59.999999Z", true),
            ("bank", "ann", "2026-02-28T23:59:59.999999Z", false),
            ("bank", "ann", "2026-06-01", false),
            ("bank", "ben", "2026-04-01", false),
            ("shop", "ann", "2026-04-01", false),
        ];
        for (tenant, subject, at, covered) in cases {
            assert_eq!(covers(&spring, &of(tenant, subject, at)), covered, "{tenant}/{subject} {at}");
        }
        assert!(covers(&hold(Some("bank"), None, None, None), &of("bank", "anybody", "2020-01-01")));
        let gap = Record::Gap(Gap { since: 0, until: 5, refused: 0, outcomes: 0, cause: String::new() });
        assert!(covers(&hold(None, None, None, Some("2030-01-01")), &gap) && !covers(&spring, &gap));
    }

    #[test]
    fn it_stops_whatever_destroys_a_key_that_could_be_needed() {
        let scope = |tenant, subject| Scope { tenant, subject, conversation: None };
        let ann = hold(Some("bank"), Some("ann"), Some("2026-03-01"), None);
        let stopped = |hold: &HoldRecord| {
            [("bank", "ann"), ("bank", ""), ("bank", "ben"), ("shop", "ann")].map(|(t, s)| stops(hold, &scope(t, s)))
        };
        assert_eq!(stopped(&ann), [true, true, false, false]);
        assert_eq!(stopped(&hold(Some("bank"), None, None, None)), [true, true, true, false]);
        // All of March, whoever it was: nobody can be forgotten.
        assert_eq!(stopped(&hold(None, None, Some("2026-03-01"), Some("2026-04-01"))), [true; 4]);
    }

    #[test]
    fn what_says_nothing_or_contradicts_itself_is_refused() {
        let wrong = |wanted: Wanted| wanted.record("a/b", Timestamp(7)).unwrap_err();
        assert!(wrong(wanted(None, Some("ann"), None, None)).contains("tenant"));
        assert!(wrong(wanted(Some(""), None, None, None)).contains("empty"));
        assert!(wrong(wanted(None, None, Some("2026-03-01"), Some("2026-03-01"))).contains("ends"));
        for bad in ["yesterday", "", "1960-01-01", "2026-13-01"] {
            assert!(wrong(wanted(None, None, Some(bad), None)).contains("written"), "{bad}");
        }
        assert!(wrong(Wanted { reason: String::new(), ..wanted(None, None, None, None) }).contains("reason"));
    }
}
