//! Which attributes of a resource are answered (RFC 7644, section 3.9).

use serde_json::Value;

use crate::{Fault, Resource, filter::Name};

/// The attributes that are asked for.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    wanted: Option<Vec<Name>>,
    unwanted: Vec<Name>,
}

impl Projection {
    /// Reads the two parameters, each a list with commas between.
    ///
    /// # Errors
    /// [`Fault::Value`] when both are there, or a name is none.
    pub fn parse(wanted: Option<&str>, unwanted: Option<&str>) -> Result<Self, Fault> {
        let names = |text: &str| -> Result<Vec<Name>, Fault> {
            let names = text.split(',').map(|name| Name::parse(name.trim()).ok_or(Fault::Value("a name is none")));
            names.collect()
        };
        if wanted.is_some() && unwanted.is_some() {
            return Err(Fault::Value("`attributes` and `excludedAttributes` exclude each other"));
        }
        Ok(Self {
            wanted: wanted.map(names).transpose()?,
            unwanted: unwanted.map(names).transpose()?.unwrap_or_default(),
        })
    }

    /// The resource as it is answered: `id` and `schemas` are there always.
    #[must_use]
    pub fn of(&self, mut resource: Resource) -> Resource {
        let named = |names: &[Name], name: &str| names.iter().any(|n| n.attribute.eq_ignore_ascii_case(name));
        let always = |name: &str| ["id", "schemas"].contains(&name);
        if let Some(wanted) = &self.wanted {
            resource.retain(|name, _| always(name) || named(wanted, name));
            for (name, value) in &mut resource {
                let of = |n: &&Name| n.attribute.eq_ignore_ascii_case(name);
                let parts: Vec<_> = wanted.iter().filter(of).map(|n| n.part.as_deref()).collect();
                if !parts.is_empty() && parts.iter().all(Option::is_some) {
                    keep(value, |part| parts.iter().flatten().any(|wanted| wanted.eq_ignore_ascii_case(part)));
                }
            }
        }
        for unwanted in &self.unwanted {
            let of = |name: &str| unwanted.attribute.eq_ignore_ascii_case(name) && !always(name);
            match &unwanted.part {
                None => resource.retain(|name, _| !of(name)),
                Some(part) => {
                    let values = resource.iter_mut().filter(|(name, _)| of(name));
                    values.for_each(|(_, value)| keep(value, |name| !name.eq_ignore_ascii_case(part)));
                }
            }
        }
        resource
    }
}

/// Keeps those parts of a complex value, or of each of several.
fn keep(value: &mut Value, wanted: impl Fn(&str) -> bool + Copy) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| keep(item, wanted)),
        Value::Object(parts) => parts.retain(|name, _| wanted(name)),
        _ => {}
    }
}
