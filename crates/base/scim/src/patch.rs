//! Patches (RFC 7644, section 3.5.2): all of their operations are done, or none.

use serde_json::Value;

use crate::{Attribute, Fault, Kind, Resource, Sort, filter::member, path::Path};

/// A patch that was read, and is still to be applied.
#[derive(Clone, Debug)]
pub struct Patch(Vec<Operation>);

#[derive(Clone, Debug)]
struct Operation {
    deed: Deed,
    path: Option<Path>,
    value: Option<Value>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Deed {
    Add,
    Replace,
    Remove,
}

impl Patch {
    /// Reads a patch.
    ///
    /// # Errors
    /// [`Fault::Syntax`], [`Fault::Path`], [`Fault::NoTarget`] for a removal of nothing in particular.
    pub fn read(body: &Value) -> Result<Self, Fault> {
        let Value::Object(body) = body else { return Err(Fault::Syntax("an object")) };
        if !member(body, "schemas").and_then(Value::as_array).is_some_and(|all| all.iter().any(|s| s == SCHEMA)) {
            return Err(Fault::Value("`schemas` does not name the patch's schema"));
        }
        let Some(Value::Array(operations)) = member(body, "Operations") else {
            return Err(Fault::Syntax("a list of `Operations`"));
        };
        if operations.is_empty() || operations.len() > MAX_OPERATIONS {
            return Err(Fault::Value("1 to 100 operations are expected"));
        }
        operations.iter().map(Operation::read).collect::<Result<_, _>>().map(Self)
    }

    /// Does every operation.
    ///
    /// # Errors
    /// The first that cannot be done; `resource` is as it was then.
    pub fn apply(&self, kind: Kind, resource: &Resource) -> Result<Resource, Fault> {
        let mut patched = resource.clone();
        for operation in &self.0 {
            operation.apply(kind, &mut patched)?;
        }
        kind.whole(&patched)?;
        Ok(patched)
    }
}

impl Operation {
    fn read(operation: &Value) -> Result<Self, Fault> {
        let Value::Object(operation) = operation else { return Err(Fault::Syntax("an operation")) };
        let deed = match member(operation, "op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
            Some("add") => Deed::Add,
            Some("replace") => Deed::Replace,
            Some("remove") => Deed::Remove,
            _ => return Err(Fault::Syntax("`op` is add, replace or remove")),
        };
        let path = match member(operation, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) => Some(Path::parse(path)?),
            Some(_) => return Err(Fault::Path("text is expected")),
        };
        let value = member(operation, "value").cloned();
        match (deed, &path, &value) {
            (Deed::Remove, None, _) => Err(Fault::NoTarget),
            (Deed::Add | Deed::Replace, _, None) => Err(Fault::Value("there is no `value`")),
            (Deed::Add | Deed::Replace, None, Some(value)) if !value.is_object() => {
                Err(Fault::Value("without a `path` the value is an object of attributes"))
            }
            _ => Ok(Self { deed, path, value }),
        }
    }

    fn apply(&self, kind: Kind, resource: &mut Resource) -> Result<(), Fault> {
        let Some(path) = &self.path else {
            let Some(Value::Object(values)) = &self.value else { return Err(Fault::NoTarget) };
            for (name, value) in values {
                // What a client may not write here is passed over, as in a whole resource: many send their copy of it along.
                let Ok(path) = Path::parse(name) else { continue };
                if kind.attribute(&path.name.attribute).is_some_and(|attribute| attribute.writable) {
                    self.at(kind, &path, Some(value), resource)?;
                }
            }
            return Ok(());
        };
        self.at(kind, path, self.value.as_ref(), resource)
    }

    fn at(&self, kind: Kind, path: &Path, value: Option<&Value>, resource: &mut Resource) -> Result<(), Fault> {
        // What is not kept cannot be patched either; that is no reason to refuse the rest.
        let Some(attribute) = kind.attribute(&path.name.attribute) else { return Ok(()) };
        if !attribute.writable {
            return Err(Fault::Mutability("it is the server's"));
        }
        match (attribute.sort, &path.filter, &path.name.part) {
            (Sort::References, ..) => self.references(attribute, path, value, resource),
            (_, None, None) => {
                let value = if self.deed == Deed::Remove { None } else { value };
                match value.map(|value| attribute.value(value)).transpose()?.flatten() {
                    Some(value) => resource.insert(attribute.name.into(), value),
                    None => resource.remove(attribute.name),
                };
                Ok(())
            }
            _ => Err(Fault::Path("the attribute has no parts")),
        }
    }

    fn references(
        &self,
        of: &Attribute,
        path: &Path,
        value: Option<&Value>,
        resource: &mut Resource,
    ) -> Result<(), Fault> {
        let mut kept = match resource.get(of.name) {
            Some(Value::Array(kept)) => kept.clone(),
            _ => Vec::new(),
        };
        if path.name.part.is_some() {
            return Err(Fault::Mutability("what a member is said to be is the server's; add or remove the member"));
        }
        let given = value.map(|value| of.value(value)).transpose()?.flatten();
        let given = given.as_ref().and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        match (self.deed, &path.filter) {
            (Deed::Add, None) => {
                kept.extend(given.iter().filter(|item| !kept.contains(item)).cloned().collect::<Vec<_>>())
            }
            (Deed::Replace, None) => kept = given.to_vec(),
            // Entra ID names the members to be removed in the value. To take it as "all" would empty the group.
            (Deed::Remove, None) if value.is_some_and(|value| !value.is_null()) => {
                kept.retain(|item| !given.contains(item))
            }
            (Deed::Remove, None) => kept.clear(),
            (Deed::Remove, Some(filter)) => kept.retain(|item| !filter.fits_value(item)),
            (Deed::Add | Deed::Replace, Some(filter)) => {
                let before = kept.len();
                kept.retain(|item| !filter.fits_value(item));
                if kept.len() == before {
                    return Err(Fault::NoTarget);
                }
                kept.extend(given.iter().filter(|item| !kept.contains(item)).cloned().collect::<Vec<_>>());
            }
        }
        match of.value(&kept.into())? {
            Some(value) => resource.insert(of.name.into(), value),
            None => resource.remove(of.name),
        };
        Ok(())
    }
}

const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const MAX_OPERATIONS: usize = 100;

#[cfg(test)]
mod tests;
