//! What is wrong with a request, in SCIM's words.

use serde_json::{Value, json};

/// Why a request cannot be done. Whoever wrote it is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The body is not strict JSON of the right form.
    #[error("the body is not the JSON that is expected here: {0}")]
    Syntax(&'static str),
    /// The filter does not parse, or is too large.
    #[error("the filter is none: {0}")]
    Filter(&'static str),
    /// The path of a patch does not parse.
    #[error("the path is none: {0}")]
    Path(&'static str),
    /// A value is missing, or of the wrong type.
    #[error("a value will not do: {0}")]
    Value(&'static str),
    /// The attribute is not the client's to write.
    #[error("the attribute cannot be changed: {0}")]
    Mutability(&'static str),
    /// A patch is of something that is not there.
    #[error("there is nothing at that place")]
    NoTarget,
    /// The resource has changed since the version that the client saw.
    #[error("the resource has changed since that version")]
    Changed,
    /// There is no such resource.
    #[error("there is no such resource")]
    Missing,
    /// A request that this server does not do.
    #[error("the request is not one that is served here: {0}")]
    Forbidden(&'static str),
}

impl Fault {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Missing => 404,
            Self::Changed => 412,
            Self::Forbidden(_) => 403,
            _ => 400,
        }
    }

    /// The keyword that RFC 7644, section 3.12, has for it.
    const fn keyword(self) -> Option<&'static str> {
        match self {
            Self::Syntax(_) => Some("invalidSyntax"),
            Self::Filter(_) => Some("invalidFilter"),
            Self::Path(_) => Some("invalidPath"),
            Self::Value(_) => Some("invalidValue"),
            Self::Mutability(_) => Some("mutability"),
            Self::NoTarget => Some("noTarget"),
            Self::Changed | Self::Missing | Self::Forbidden(_) => None,
        }
    }

    /// The error as the body of an answer.
    #[must_use]
    pub fn message(self) -> Value {
        message(self.status(), self.keyword(), &self.to_string())
    }
}

/// An error in SCIM's form.
#[must_use]
pub fn message(status: u16, keyword: Option<&str>, detail: &str) -> Value {
    let mut body = json!({ "schemas": [ERROR], "status": status.to_string(), "detail": detail });
    if let (Some(keyword), Some(body)) = (keyword, body.as_object_mut()) {
        body.insert("scimType".into(), keyword.into());
    }
    body
}

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
