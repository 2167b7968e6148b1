//! Where a patch goes (RFC 7644, figure 7): `attribute`, `attribute.part`, `attribute[filter]` or `attribute[filter].part`.

use crate::{
    Fault, Filter,
    filter::{Name, closing},
};

/// A place in a resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    pub(crate) name: Name,
    pub(crate) filter: Option<Filter>,
}

impl Path {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let named = |text: &str| Name::parse(text).ok_or(Fault::Path("an attribute's name is expected"));
        let Some((before, within)) = text.split_once('[') else { return Ok(Self { name: named(text)?, filter: None }) };
        let mut name = named(before)?;
        let end = closing_bracket(within).ok_or(Fault::Path("a bracket does not close"))?;
        let (filter, after) = within.split_at_checked(end).ok_or(Fault::Path("a bracket does not close"))?;
        match after.get(1..).unwrap_or_default() {
            "" => {}
            part => {
                let part = part.strip_prefix('.').ok_or(Fault::Path("a part is expected after the bracket"))?;
                let part = named(part)?;
                if name.part.is_some() || part.part.is_some() {
                    return Err(Fault::Path("a part of a part"));
                }
                name.part = Some(part.attribute);
            }
        }
        Ok(Self { name, filter: Some(Filter::parse(filter)?) })
    }
}

/// Where the bracket closes, which may also stand in a text.
fn closing_bracket(within: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = within.get(at..)?;
        match rest.find(['"', ']'])? {
            found if rest.as_bytes().get(found) == Some(&b']') => return Some(at + found),
            found => at += found + closing(rest.get(found..)?)?,
        }
    }
}
