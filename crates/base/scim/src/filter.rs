//! Filters (RFC 7644, section 3.4.2.2): read with bounds, and asked about a resource.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::{Fault, Kind, Resource};

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    /// The attribute has a value.
    Present(Name),
    Compare(Name, Comparison, Value),
    /// One value of the attribute fits by itself.
    Within(Name, Box<Node>),
}

/// An attribute, and a part of it: `members.value`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Name {
    pub(crate) attribute: String,
    pub(crate) part: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Contains,
    Starts,
    Ends,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`Fault::Filter`] when it does not parse, is longer than a kilobyte, or nests more than sixteen deep.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut tokens = Tokens::of(text)?;
        let node = tokens.any_of(0)?;
        if tokens.done() { Ok(Self(node)) } else { Err(Fault::Filter("something stands after its end")) }
    }

    /// Whether a resource of `kind` fits. What it has not, fits nothing but being unequal.
    #[must_use]
    pub fn fits(&self, kind: Kind, resource: &Resource) -> bool {
        self.0.fits(resource, &|name| kind.attribute(name).is_some_and(|attribute| attribute.exact))
    }

    /// Whether one value of an attribute fits: the filter of a path, as in `members[value eq "x"]`.
    pub(crate) fn fits_value(&self, value: &Value) -> bool {
        match value {
            Value::Object(members) => self.0.fits(members, &|_| true),
            _ => false,
        }
    }
}

impl Node {
    fn fits(&self, of: &Map<String, Value>, exact: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Or(any) => any.iter().any(|node| node.fits(of, exact)),
            Self::And(all) => all.iter().all(|node| node.fits(of, exact)),
            Self::Not(node) => !node.fits(of, exact),
            Self::Present(name) => !name.values(of).is_empty(),
            Self::Compare(name, comparison, wanted) => {
                let values = name.values(of);
                let exact = exact(&name.attribute);
                if *comparison == Comparison::NotEqual {
                    return !values.iter().any(|value| Comparison::Equal.holds(value, wanted, exact));
                }
                values.iter().any(|value| comparison.holds(value, wanted, exact))
            }
            Self::Within(name, node) => {
                name.items(of).iter().any(|value| value.as_object().is_some_and(|value| node.fits(value, &|_| true)))
            }
        }
    }
}

impl Name {
    /// Reads `attribute`, `attribute.part` or either after a schema's URN.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // A URN ends at its last colon. Its version number has dots, an attribute has none before its part.
        let text = match text.rsplit_once(':') {
            Some((urn, rest)) if urn.len() >= 4 && urn.get(..4).is_some_and(|u| u.eq_ignore_ascii_case("urn:")) => rest,
            Some(_) => return None,
            None => text,
        };
        let (attribute, part) = match text.split_once('.') {
            Some((attribute, part)) => (attribute, Some(part)),
            None => (text, None),
        };
        let named = |name: &str| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'$')
                && bytes.all(|b| b.is_ascii_alphanumeric() || b"-_$".contains(&b))
        };
        (named(attribute) && part.is_none_or(named))
            .then(|| Self { attribute: attribute.into(), part: part.map(Into::into) })
    }

    /// The values of its attribute: of several each.
    fn items<'a>(&self, of: &'a Map<String, Value>) -> &'a [Value] {
        member(of, &self.attribute)
            .map_or(&[], |value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice))
    }

    /// The values it names: the part of each, or of a complex one its `value`.
    fn values<'a>(&self, of: &'a Map<String, Value>) -> Vec<&'a Value> {
        let part = |item: &'a Value| match (&self.part, item) {
            (Some(part), Value::Object(item)) => member(item, part),
            (Some(_), _) => None,
            (None, Value::Object(members)) => member(members, "value").or(Some(item)),
            (None, _) => Some(item),
        };
        self.items(of).iter().filter_map(part).filter(|value| !value.is_null()).collect()
    }
}

/// The member of that name, in any case.
pub(crate) fn member<'a>(of: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    of.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl Comparison {
    fn holds(self, value: &Value, wanted: &Value, exact: bool) -> bool {
        let order = match (value, wanted) {
            (Value::String(value), Value::String(wanted)) => {
                let fold = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
                let (value, wanted) = (fold(value), fold(wanted));
                match self {
                    Self::Contains => return value.contains(&wanted),
                    Self::Starts => return value.starts_with(&wanted),
                    Self::Ends => return value.ends_with(&wanted),
                    _ => value.cmp(&wanted),
                }
            }
            (Value::Bool(value), Value::Bool(wanted)) if self == Self::Equal => return value == wanted,
            (Value::Number(value), Value::Number(wanted)) => {
                match value.as_f64().zip(wanted.as_f64()).and_then(|(value, wanted)| value.partial_cmp(&wanted)) {
                    Some(order) => order,
                    None => return false,
                }
            }
            _ => return false,
        };
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::Greater => order == Ordering::Greater,
            Self::GreaterOrEqual => order != Ordering::Less,
            Self::Less => order == Ordering::Less,
            Self::LessOrEqual => order != Ordering::Greater,
            Self::NotEqual | Self::Contains | Self::Starts | Self::Ends => false,
        }
    }
}

/// The words of a filter.
struct Tokens<'a> {
    all: Vec<Token<'a>>,
    at: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Token<'a> {
    Sign(char),
    Word(&'a str),
    Text(String),
}

impl<'a> Tokens<'a> {
    fn of(text: &'a str) -> Result<Self, Fault> {
        if text.len() > MAX_BYTES {
            return Err(Fault::Filter("it is longer than a kilobyte"));
        }
        let mut all = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (token, length) = match first {
                ' ' => (None, 1),
                '(' | ')' | '[' | ']' => (Some(Token::Sign(first)), 1),
                '"' => {
                    let end = closing(rest).ok_or(Fault::Filter("a text does not end"))?;
                    let text = rest.get(..end).and_then(|quoted| serde_json::from_str(quoted).ok());
                    (Some(Token::Text(text.ok_or(Fault::Filter("a text is not as JSON writes it"))?)), end)
                }
                _ => {
                    let end = rest.find([' ', '(', ')', '[', ']', '"']).unwrap_or(rest.len());
                    (rest.get(..end).map(Token::Word), end)
                }
            };
            all.extend(token);
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(Self { all, at: 0 })
    }

    fn any_of(&mut self, depth: usize) -> Result<Node, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Filter("it nests more than sixteen deep"));
        }
        let mut any = vec![self.all_of(depth)?];
        while self.word("or") {
            any.push(self.all_of(depth)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Node::Or(any) })
    }

    fn all_of(&mut self, depth: usize) -> Result<Node, Fault> {
        let mut all = vec![self.one(depth)?];
        while self.word("and") {
            all.push(self.one(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Node::And(all) })
    }

    fn one(&mut self, depth: usize) -> Result<Node, Fault> {
        if self.sign('(') {
            return self.enclosed(depth, ')');
        }
        let negated = matches!((self.all.get(self.at), self.all.get(self.at + 1)),
            (Some(Token::Word(word)), Some(Token::Sign('('))) if word.eq_ignore_ascii_case("not"));
        if negated {
            self.at += 2;
            return Ok(Node::Not(Box::new(self.enclosed(depth, ')')?)));
        }
        let Some(Token::Word(name)) = self.next() else { return Err(Fault::Filter("an attribute is expected")) };
        let name = Name::parse(name).ok_or(Fault::Filter("an attribute's name is expected"))?;
        if self.sign('[') {
            return Ok(Node::Within(name, Box::new(self.enclosed(depth, ']')?)));
        }
        let Some(Token::Word(word)) = self.next() else { return Err(Fault::Filter("a comparison is expected")) };
        let comparison = match word.to_ascii_lowercase().as_str() {
            "pr" => return Ok(Node::Present(name)),
            "eq" => Comparison::Equal,
            "ne" => Comparison::NotEqual,
            "co" => Comparison::Contains,
            "sw" => Comparison::Starts,
            "ew" => Comparison::Ends,
            "gt" => Comparison::Greater,
            "ge" => Comparison::GreaterOrEqual,
            "lt" => Comparison::Less,
            "le" => Comparison::LessOrEqual,
            _ => return Err(Fault::Filter("a comparison is expected")),
        };
        let value = match self.next() {
            Some(Token::Text(text)) => Value::String(text),
            Some(Token::Word(word)) => {
                let value = serde_json::from_str::<Value>(&word.to_ascii_lowercase());
                value.map_err(|_| Fault::Filter("a value is expected"))?
            }
            _ => return Err(Fault::Filter("a value is expected")),
        };
        Ok(Node::Compare(name, comparison, value))
    }

    fn enclosed(&mut self, depth: usize, end: char) -> Result<Node, Fault> {
        let node = self.any_of(depth + 1)?;
        if self.sign(end) { Ok(node) } else { Err(Fault::Filter("a bracket does not close")) }
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.all.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn sign(&mut self, sign: char) -> bool {
        let found = self.all.get(self.at) == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.all.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn done(&self) -> bool {
        self.at >= self.all.len()
    }
}

/// Where a text that begins `rest` ends, closing quote included.
pub(crate) fn closing(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

const MAX_BYTES: usize = 1024;
const MAX_DEPTH: usize = 16;

#[cfg(test)]
mod tests;
