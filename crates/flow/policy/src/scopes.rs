//! What a credential is restricted to, before any policy is asked.

use std::sync::Arc;

use countersign_core::Principal;

/// Whether the scopes of `who` leave room for `model` in the format of this name, with these tools. What is done to the gateway itself is about no
/// model and with no tool, so that no scope which names one leaves room for it.
///
/// Scopes of one sort widen each other, scopes of two sorts narrow each other. A scope of a sort we do not know restricts the
/// credential to something we cannot judge, so nothing is allowed.
pub(crate) fn allow(
    who: &Principal,
    model: Option<&str>,
    format: &str,
    tools: &[Arc<str>],
) -> Result<(), &'static str> {
    if who.scopes.is_empty() {
        return Ok(());
    }
    let (mut models, mut model_fits) = (false, false);
    let (mut formats, mut format_fits) = (false, false);
    let mut named = false;
    for scope in who.scopes.iter() {
        match scope.split_once(':') {
            Some(("model", name)) => {
                models = true;
                model_fits |= model == Some(name);
            }
            Some(("format", name)) => {
                formats = true;
                format_fits |= name == format;
            }
            Some(("tool", _)) => named = true,
            _ => return Err("a scope of the credential is of no known sort"),
        }
    }
    if models && !model_fits {
        return Err("the credential's scopes do not name the model");
    }
    let is_named = |tool: &Arc<str>| who.scopes.iter().any(|scope| scope.strip_prefix("tool:") == Some(tool));
    if named && (model.is_none() || !tools.iter().all(is_named)) {
        return Err("the credential's scopes do not name the tools");
    }
    if formats && !format_fits {
        return Err("the credential's scopes do not name the format");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use countersign_core::{
        Lease,
        principal::{Method, PrincipalKind},
    };

    use super::*;

    fn fits(scopes: &[&str], model: Option<&str>, tools: &[&str]) -> bool {
        let named = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>();
        let who = Principal {
            tenant: "bank".into(),
            subject: "alice".into(),
            kind: PrincipalKind::Person,
            roles: [].into(),
            scopes: named(scopes).into(),
            credential: "key".into(),
            method: Method::ApiKey,
            claims: None,
            session: None,
            lease: Arc::new(Lease::new(None)),
        };
        allow(&who, model, "chat", &named(tools)).is_ok()
    }

    #[test]
    fn scopes_that_name_tools_bound_the_tools_and_not_the_rest() {
        let both = ["tool:read", "tool:write"];
        assert!(
            fits(&both, Some("m"), &[])
                && fits(&both, Some("m"), &["read"])
                && fits(&both, Some("m"), &["write", "read"])
        );
        assert!(!fits(&both, Some("m"), &["read", "delete"]) && !fits(&both, Some("m"), &["Read"]));
        assert!(!fits(&both, None, &[]), "nor does it do anything to the gateway");
        assert!(
            !fits(&["model:m", "tool:read"], Some("m"), &["write"])
                && !fits(&["model:m", "tool:read"], Some("n"), &["read"])
        );
        assert!(fits(&["model:m"], Some("m"), &["anything"]), "no word about tools, no bound on them");
    }
}
