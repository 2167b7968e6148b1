//! Taint: what a prompt holds that its caller did not write, and the tool calls that an answer makes from it.
//!
//! No detector has a say here. A call is put to the request's warden by the tool's name, and by whether one of its arguments
//! stands in text that the caller did not write. Where both answers are the same the call passes or is refused at its first
//! argument; where they differ it is held until the answer is over, when its arguments are known.

use std::{collections::BTreeMap, ops::Range};

use countersign_core::{
    Action, Channel, Code, Document, Finding, Judge, Kind, Refusal, Side, Timestamp, Trust,
    life::Readmitted,
    taint::{Context, Sources, Taint},
};

use crate::{Normal, detector::evidence, stand_in::Book};

pub(crate) mod copied;

use copied::Arguments;

/// Gathers the texts of a prompt while it is screened.
#[derive(Default)]
pub(crate) struct Gathered {
    untrusted: String,
    own: String,
}

impl Gathered {
    /// Takes in one view of a leaf.
    pub(crate) fn read(&mut self, view: &Normal<'_>) {
        match (view.trust, view.channel) {
            (Trust::Untrusted, _) => copied::squeeze(&view.text, &mut self.untrusted),
            // What only decodes to it is no word of the caller's.
            (Trust::Caller | Trust::Operator, Channel::User | Channel::System) if view.layers.is_empty() => {
                copied::space(&view.text, &mut self.own);
            }
            _ => {}
        }
    }
}

/// What a prompt with these findings brings into the context of its answer.
pub(crate) fn context(
    document: &Document,
    attachments: u32,
    findings: &[Finding],
    gathered: Option<Gathered>,
) -> Context {
    let slots = document.slots();
    let instructs = |finding: &&Finding| {
        // Hidden text taints by what it says, which is found by itself.
        matches!(finding.kind, Kind::Injection | Kind::Extraction | Kind::Exfiltration)
            && !matches!(finding.confidence.partial_cmp(&LIKELY), Some(std::cmp::Ordering::Less))
            && slots.get(finding.leaf).is_some_and(|slot| slot.trust < Trust::Caller)
    };
    let taint = if findings.iter().any(|finding| instructs(&finding)) {
        Taint::Finding
    } else if attachments > 0 || is_foreign(document) {
        Taint::Untrusted
    } else {
        Taint::None
    };
    // What nobody here can read cannot be compared with.
    let unseen = attachments > 0 || slots.iter().any(|s| s.trust == Trust::Untrusted && s.channel == Channel::Other);
    let sources = gathered.filter(|_| taint > Taint::None && !unseen);
    let sources = sources.map(|g| Sources { untrusted: g.untrusted.into(), own: g.own.into() });
    Context { taint, sources, ..Context::default() }
}

/// Whether anything in the document comes from nobody we know.
pub(crate) fn is_foreign(document: &Document) -> bool {
    document.slots().iter().any(|slot| slot.trust == Trust::Untrusted)
}

/// The calls of one answer under taint.
/// In the order they began, which is that of their numbers.
#[derive(Default)]
pub(crate) struct Calls {
    all: BTreeMap<u32, Call>,
    /// Bytes of arguments that are kept.
    kept: usize,
    /// Comparisons that were made.
    work: usize,
}

/// One call.
#[derive(Default)]
struct Call {
    name: String,
    arguments: Arguments,
    /// A leaf of its arguments, for the record.
    leaf: usize,
    state: State,
    /// Where arguments stand that were copied, once that was looked for; none where it cannot be told.
    copied: Option<Option<Vec<Range<usize>>>>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// Its name may go on.
    #[default]
    Naming,
    /// Whether it passes depends on its arguments.
    Waiting,
    /// It passes.
    Passes,
}

/// What becomes of a piece of a call for now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Now {
    Passes,
    Held,
}

impl Calls {
    /// Takes in what a document says of calls; whether the name of one goes on after its arguments have begun, which two readers
    /// would read in two ways.
    pub(crate) fn read(&mut self, document: &Document) -> bool {
        let mut torn = false;
        for (leaf, slot) in document.slots().iter().enumerate() {
            let Some(part) = slot.call else { continue };
            let text = document.text(leaf);
            let call = self.all.entry(part.call).or_default();
            call.leaf = leaf;
            if !part.is_name {
                self.kept += text.len();
                call.arguments.push(text, self.kept <= MOST_KEPT);
                if slot.grows.is_none() {
                    call.arguments.end_value();
                }
            } else if call.arguments.is_empty() {
                call.name.push_str(text);
            } else {
                // Some events repeat what came before.
                torn |= call.name != text && !text.is_empty();
            }
        }
        torn
    }

    /// What becomes of a slot that belongs to call `number`. `last` says that the answer is over.
    ///
    /// # Errors
    /// When the call is refused.
    pub(crate) fn judge(&mut self, of: &Readmitted, number: u32, last: bool, now: Timestamp) -> Result<Now, Refusal> {
        let Some(call) = self.all.get_mut(&number) else { return Ok(Now::Held) };
        if call.state == State::Naming && (last || !call.arguments.is_empty()) {
            call.state = match (allowed(of, &call.name, false, now), allowed(of, &call.name, true, now)) {
                (Ok(()), Ok(())) => State::Passes,
                (Err(refusal), _) => return Err(refusal),
                (Ok(()), Err(_)) => State::Waiting,
            };
        }
        if call.state == State::Waiting && last {
            let copied = call.copied(of, &mut self.work);
            let copied = copied.is_none_or(|spans| !spans.is_empty());
            allowed(of, &call.name, copied, now)?;
            call.state = State::Passes;
        }
        Ok(if call.state == State::Passes { Now::Passes } else { Now::Held })
    }

    /// The arguments that stand in text which the caller did not write, for the record.
    pub(crate) fn findings(&mut self, of: &Readmitted) -> Vec<Finding> {
        let mut found = Vec::new();
        for call in self.all.values_mut() {
            let all = [call.arguments.whole()];
            let spans = call.copied(of, &mut self.work).map(<[_]>::to_vec).unwrap_or_else(|| all.to_vec());
            found.extend(spans.into_iter().filter(|span| !span.is_empty()).map(|span| Finding {
                digest: evidence(call.arguments.text(&span).as_bytes()),
                leaf: call.leaf,
                span,
                ..A_COPY
            }));
        }
        found.truncate(MOST_FINDINGS);
        found
    }
}

impl Call {
    fn copied(&mut self, of: &Readmitted, work: &mut usize) -> Option<&[Range<usize>]> {
        // Arguments hold stand-ins where the texts hold values.
        let look = || {
            let book = Book::new(of.context().stand_ins.as_ref());
            self.arguments.copied(of.context().sources.as_ref(), book.as_ref(), work)
        };
        self.copied.get_or_insert_with(look).as_deref()
    }
}

/// Judges all calls of a whole answer; what goes on record, and why it is withheld where it is.
pub(crate) fn whole(of: &Readmitted, document: &Document, now: Timestamp) -> (Vec<Finding>, Option<Refusal>) {
    let mut calls = Calls::default();
    let mut refused = calls.read(document).then(torn);
    let parts = document.slots().iter().filter_map(|slot| slot.call);
    for part in parts {
        if let Err(refusal) = calls.judge(of, part.call, true, now) {
            refused = refused.or(Some(refusal));
        }
    }
    (calls.findings(of), refused)
}

/// The name of a call cannot be told.
pub(crate) fn torn() -> Refusal {
    Refusal::new(Code::ToolRefused, "the name of a tool goes on after its arguments have begun")
}

/// Whether tool calls of the answer to `of` are looked at at all.
pub(crate) fn applies(of: &Readmitted) -> bool {
    of.context().taint > Taint::None
}

/// Asks the warden, and the table about arguments that were copied.
fn allowed(of: &Readmitted, tool: &str, copied: bool, now: Timestamp) -> Result<(), Refusal> {
    let Some(warden) = of.warden() else {
        return Err(Refusal::new(Code::ToolRefused, "nobody could be asked about a tool call from a tainted context"));
    };
    warden.may_call(of, tool, copied, now)?;
    let judge: &dyn Judge = &*of.second_permit().judge;
    match judge.judge(Side::Answer, &A_COPY) {
        action if copied && action > Action::Allow => {
            // An argument that is masked would make another call of it.
            let reason = "copied/argument found in the answer's tool-arguments text";
            Err(Refusal { cut: action == Action::Cut, ..Refusal::new(Code::AnswerRefused, reason) })
        }
        _ => Ok(()),
    }
}

/// What a copied argument is on record as.
const A_COPY: Finding = Finding {
    kind: Kind::Copied,
    rule: "copied/argument",
    channel: Channel::ToolArguments,
    leaf: 0,
    span: 0..0,
    confidence: 1.0,
    digest: [0; 8],
    reproduced: None,
};

/// What is less likely than not is on record and taints as any text that the caller did not write. No number counts as sure.
const LIKELY: f32 = 0.5;

/// Bytes of the arguments of one answer that are compared.
const MOST_KEPT: usize = 256 << 10;

/// Copied arguments of one answer that go on record.
const MOST_FINDINGS: usize = 64;

#[cfg(test)]
mod tests;
