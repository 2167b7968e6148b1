//! One route: who may use it, what it takes, what it gives, and what it does.

use std::pin::Pin;

use bytes::Bytes;
use countersign_core::{Code, Refusal};
use countersign_policy::Administer;
use http::{HeaderMap, Method, header};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Ask, Reply};

/// A route.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// As in `/admin/v1/keys/{id}`; a name in braces stands for one piece of the path.
    pub(crate) path: &'static str,
    pub(crate) permit: Permit,
    /// What it is called in the OpenAPI document and in the audit record of who used it.
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) what: &'static str,
    /// Parameters of the query.
    pub(crate) query: &'static [Param],
    /// The body it takes: its content type and its form.
    pub(crate) takes: Option<(&'static str, Form)>,
    /// The answers it gives when all is well; refusals are the same everywhere.
    pub(crate) gives: &'static [Gives],
    pub(crate) run: Run,
}

/// Who may use it. There is no route without it, so there is none that nobody thought about.
#[derive(Clone, Copy)]
pub(crate) enum Permit {
    /// Whom the policy permits this action.
    Action(Administer),
    /// Anyone: it is public, or what it takes carries its own proof.
    Open,
}

/// A parameter of the query.
#[derive(Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) form: Form,
}

/// An answer.
pub(crate) struct Gives {
    pub(crate) status: u16,
    pub(crate) what: &'static str,
    /// Content type and form, where there is a body.
    pub(crate) body: Option<(&'static str, Form)>,
}

/// Makes the schema of a value.
pub(crate) type Form = fn(&mut SchemaGenerator) -> Schema;

/// Does what the route does.
pub(crate) type Run = for<'a> fn(&'a Ask<'a>) -> Pin<Box<dyn Future<Output = Result<Reply, Refusal>> + Send + 'a>>;

/// The schema of `T`.
pub(crate) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Route {
    /// Whether the path is this route's, to the letter.
    pub(crate) fn is(&self, path: &str) -> bool {
        let (mut ours, mut theirs) = (self.path.split('/'), path.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(name), Some(piece)) if name.starts_with('{') => {
                    // An encoded piece could hold a slash to the next reader.
                    if piece.is_empty() || piece.contains('%') {
                        return false;
                    }
                }
                (Some(our), Some(their)) if our == their => {}
                _ => return false,
            }
        }
    }

    /// The pieces of the path that names in braces stand for.
    pub(crate) fn pieces<'a>(&self, path: &'a str) -> Vec<&'a str> {
        let named = self.path.split('/').zip(path.split('/')).filter(|(ours, _)| ours.starts_with('{'));
        named.map(|(_, piece)| piece).collect()
    }

    /// Whether the body is of the kind that it takes.
    pub(crate) fn takes(&self, headers: &HeaderMap, body: &Bytes) -> Result<(), Refusal> {
        let Some((kind, _)) = self.takes else {
            if body.is_empty() {
                return Ok(());
            }
            return Err(Refusal::new(Code::Malformed, "the route takes no body"));
        };
        let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
        let essence = |value: &[u8]| {
            let (essence, rest) = value.split_at(value.iter().position(|b| *b == b';').unwrap_or(value.len()));
            let rest = rest.strip_prefix(b";").unwrap_or_default().trim_ascii();
            let plain = rest.is_empty() || rest.eq_ignore_ascii_case(b"charset=utf-8");
            // JSON of a kind may be called JSON (RFC 7644, section 3.1, has both).
            let is = |kind: &str| essence.trim_ascii().eq_ignore_ascii_case(kind.as_bytes());
            plain && (is(kind) || kind.ends_with("+json") && is("application/json"))
        };
        let fits = kind == ANY || matches!((kinds.next(), kinds.next()), (Some(one), None) if essence(one.as_bytes()));
        let plain = headers.get_all(header::CONTENT_ENCODING).iter().all(|c| c.as_bytes() == b"identity");
        if !fits || !plain {
            return Err(Refusal::new(Code::UnsupportedMedia, "the body is compressed or of another type"));
        }
        // A policy file is longer than anything else that is posted.
        let policy = matches!(self.permit, Permit::Action(Administer::ReadPolicy | Administer::WritePolicy));
        let most = if policy { MAX_POLICY } else { MAX_BODY };
        if body.len() > most {
            return Err(Refusal::new(Code::TooLarge, "the body is over the limit of the admin API"));
        }
        Ok(())
    }
}

/// A body of whatever type: of a protocol that names none.
pub(crate) const ANY: &str = "*/*";
/// Bytes of a body.
const MAX_BODY: usize = 64 << 10;
/// Bytes of a body with a policy file in it.
const MAX_POLICY: usize = 1 << 20;
