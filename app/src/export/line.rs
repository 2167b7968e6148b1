//! Records in the words of the export: what others are told of them.

use countersign_audit::{
    merkle::Hash,
    record::{Asked, Findings, Place, Record, Who},
};
use countersign_export::{Line, MOST_FINDINGS, What};

/// The line of a record.
pub(super) fn line(log: &str, index: u64, leaf: Hash, record: &Record) -> Line {
    let mut line = Line {
        log: log.to_owned(),
        index,
        leaf,
        at: record.at(),
        request: record.request().map(|request| request.to_string()),
        ..Line::default()
    };
    match record {
        Record::Opened(_) => line.what = What::Opened,
        Record::Intent(r) => {
            line.what = What::Intent;
            who(&mut line, &r.who);
            place(&mut line, &r.from);
            asked(&mut line, &r.call);
            found(&mut line, &r.findings);
        }
        Record::Outcome(r) => {
            line.what = What::Outcome;
            line.who = Some(countersign_export::Who {
                tenant: r.tenant.to_string(),
                subject: r.subject.to_string(),
                ..countersign_export::Who::default()
            });
            line.target = r.target.as_deref().map(str::to_owned);
            line.status = Some(r.status);
            line.code = r.code.as_deref().map(str::to_owned);
            line.reason.clone_from(&r.reason);
            (line.input_tokens, line.output_tokens, line.bytes) = (r.input_tokens, r.output_tokens, Some(r.bytes));
            found(&mut line, &r.findings);
        }
        Record::Refused(r) => {
            line.what = What::Refused;
            if let Some(known) = &r.who {
                who(&mut line, known);
            }
            place(&mut line, &r.from);
            if let Some(call) = &r.call {
                asked(&mut line, call);
            }
            line.code = Some(r.code.to_string());
            line.reason = Some(r.reason.clone());
            found(&mut line, &r.findings);
        }
        Record::Answered(r) => {
            line.what = What::Answered;
            who(&mut line, &r.who);
            place(&mut line, &r.from);
            line.operation = Some(r.what.to_string());
            found(&mut line, &r.findings);
        }
        Record::Changed(r) => {
            line.what = What::Changed;
            who(&mut line, &r.who);
            place(&mut line, &r.from);
            line.operation = Some(r.action.to_string());
            line.reason = Some(r.what.clone());
        }
        Record::Strangers(r) => {
            line.what = What::Strangers;
            line.reason = Some(format!("from {}", r.from));
            line.found = r.count;
        }
        Record::Gap(r) => {
            line.what = What::Gap;
            line.reason = Some(r.cause.clone());
            line.found = r.refused.saturating_add(r.outcomes);
        }
        Record::GivenUp(r) => {
            line.what = What::GivenUp;
            line.reason = Some(format!("older than {} days", r.keep_days));
            line.found = r.now.iter().map(|[from, until]| until.saturating_sub(*from)).sum();
        }
    }
    line
}

fn who(line: &mut Line, who: &Who) {
    line.who = Some(countersign_export::Who {
        tenant: who.tenant.to_string(),
        subject: who.subject.to_string(),
        kind: who.kind.to_string(),
        credential: who.credential.to_string(),
    });
}

fn place(line: &mut Line, from: &Place) {
    line.ip = from.ip.map(|ip| ip.to_string());
    line.listener = Some(from.listener.to_string());
}

fn asked(line: &mut Line, call: &Asked) {
    line.model = Some(call.model.to_string());
    line.operation = Some(call.format.to_string());
}

fn found(line: &mut Line, findings: &Findings) {
    let named = findings.first.iter().take(MOST_FINDINGS);
    line.findings = named.map(|found| (found.rule.to_string(), found.kind.to_string())).collect();
    line.found = findings.count;
}
