//! What is kept of a user and of a group: what is needed to say who belongs where and whether they still do. Everything else that
//! a client sends (names, addresses, numbers, passwords) is passed over and forgotten.

use serde_json::{Map, Value};

use crate::{Fault, filter::member};

/// A resource as attributes with their names as schemas spell them.
pub type Resource = Map<String, Value>;

/// The kinds of resource.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A person, service or agent.
    User,
    /// Users.
    Group,
}

/// An attribute.
#[derive(Debug)]
pub struct Attribute {
    /// Its name; in requests in any case.
    pub name: &'static str,
    /// What it holds.
    pub sort: Sort,
    /// Whether it has to be there.
    pub required: bool,
    /// Whether text is compared to the letter.
    pub exact: bool,
    /// Whether a client may write it.
    pub writable: bool,
    /// What it is.
    pub what: &'static str,
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sort {
    /// Text.
    Text,
    /// Yes or no.
    Bool,
    /// Resources, each by its id.
    References,
    /// What the server says of the resource.
    Meta,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// Where its resources are, below the root of the API.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    /// Its schema's URN.
    #[must_use]
    pub const fn schema(self) -> &'static str {
        match self {
            Self::User => "urn:ietf:params:scim:schemas:core:2.0:User",
            Self::Group => "urn:ietf:params:scim:schemas:core:2.0:Group",
        }
    }

    /// The attributes of its schema.
    #[must_use]
    pub const fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::User => &USER,
            Self::Group => &GROUP,
        }
    }

    /// The attribute of that name, in any case.
    #[must_use]
    pub fn attribute(self, name: &str) -> Option<&'static Attribute> {
        let named = |attribute: &&Attribute| attribute.name.eq_ignore_ascii_case(name);
        self.attributes().iter().find(named).or_else(|| COMMON.iter().find(named))
    }

    /// What a client wrote, as far as it is kept: attributes that it may write, under their own names.
    ///
    /// # Errors
    /// When it is no object, not of this kind's schema, or a value is missing or of another type.
    pub fn resource(self, body: &Value) -> Result<Resource, Fault> {
        let Value::Object(body) = body else { return Err(Fault::Syntax("an object")) };
        let schemas = member(body, "schemas");
        let ours = |schemas: &Value| schemas.as_array().is_some_and(|all| all.iter().any(|s| s == self.schema()));
        if !schemas.is_some_and(ours) {
            return Err(Fault::Value("`schemas` does not name the schema of the resource"));
        }
        let mut resource = Resource::new();
        for (name, value) in body {
            let Some(attribute) = self.attribute(name).filter(|attribute| attribute.writable) else { continue };
            if let Some(value) = attribute.value(value)? {
                resource.insert(attribute.name.into(), value);
            }
        }
        self.whole(&resource)?;
        Ok(resource)
    }

    /// Whether all is there that has to be.
    pub(crate) fn whole(self, resource: &Resource) -> Result<(), Fault> {
        let missing = |attribute: &&Attribute| attribute.required && !resource.contains_key(attribute.name);
        match self.attributes().iter().find(missing) {
            Some(_) => Err(Fault::Value("a required attribute is missing")),
            None => Ok(()),
        }
    }
}

impl Attribute {
    /// The value in the form in which it is kept; none for what amounts to none (RFC 7643, section 2.5).
    pub(crate) fn value(&self, value: &Value) -> Result<Option<Value>, Fault> {
        if value.is_null() {
            return Ok(None);
        }
        match self.sort {
            Sort::Text => {
                let Value::String(text) = value else { return Err(Fault::Value("text is expected")) };
                if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
                    return Err(Fault::Value("text of at most 256 bytes without control characters is expected"));
                }
                if text.is_empty() {
                    return if self.required { Err(Fault::Value("a required attribute is empty")) } else { Ok(None) };
                }
                Ok(Some(value.clone()))
            }
            // Entra ID writes "True" and "False".
            Sort::Bool => match value {
                Value::Bool(_) => Ok(Some(value.clone())),
                Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true.into())),
                Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false.into())),
                _ => Err(Fault::Value("true or false is expected")),
            },
            Sort::References => {
                let one = std::slice::from_ref(value);
                let items = value.as_array().map_or(one, Vec::as_slice);
                let mut all: Vec<Value> = Vec::with_capacity(items.len());
                for item in items {
                    let item = reference(item)?;
                    if !all.contains(&item) {
                        all.push(item);
                    }
                }
                if all.len() > MAX_MEMBERS {
                    return Err(Fault::Value("more members than a group may have"));
                }
                Ok((!all.is_empty()).then(|| all.into()))
            }
            Sort::Meta => Ok(None),
        }
    }
}

/// A reference as it is kept: the id alone. What else there is about a member the server knows itself.
fn reference(item: &Value) -> Result<Value, Fault> {
    let id = match item {
        Value::String(id) => Some(id.as_str()),
        Value::Object(members) => {
            if member(members, "type").is_some_and(|kind| kind != "User") {
                return Err(Fault::Value("members are users; groups within groups are not kept"));
            }
            member(members, "value").and_then(Value::as_str)
        }
        _ => None,
    };
    match id {
        Some(id) if !id.is_empty() && id.len() <= MAX_TEXT => Ok(serde_json::json!({ "value": id })),
        _ => Err(Fault::Value("a member has no `value`")),
    }
}

const fn text(name: &'static str, what: &'static str) -> Attribute {
    Attribute { name, sort: Sort::Text, required: false, exact: false, writable: true, what }
}

const USER: [Attribute; 4] = [
    Attribute { required: true, ..text("userName", "The name that the user signs in with.") },
    text("displayName", "The user's name, for people."),
    Attribute { sort: Sort::Bool, ..text("active", "Whether the user may use anything. Yes, unless it says no.") },
    Attribute { sort: Sort::References, writable: false, exact: true, ..text("groups", "Groups the user is in.") },
];

const GROUP: [Attribute; 2] = [
    Attribute { required: true, ..text("displayName", "The group's name, for people.") },
    Attribute { sort: Sort::References, exact: true, ..text("members", "Users in the group.") },
];

/// What every resource has (RFC 7643, section 3.1), and no schema lists.
const COMMON: [Attribute; 3] = [
    Attribute { writable: false, exact: true, ..text("id", "The server's id.") },
    Attribute { exact: true, ..text("externalId", "The id that the client knows it by.") },
    Attribute { sort: Sort::Meta, writable: false, ..text("meta", "What the server says of it.") },
];

/// Bytes of a text.
const MAX_TEXT: usize = 256;
/// Members of one group.
const MAX_MEMBERS: usize = 10_000;
