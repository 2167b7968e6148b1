//! What a credential is restricted to, before any policy is asked.

use countersign_core::Principal;

/// Whether the scopes of `who` leave room for `model` in the format of this name. What is done to the gateway itself is about no
/// model, so that no scope which names a model leaves room for it.
///
/// Scopes of one sort widen each other, scopes of two sorts narrow each other. A scope of a sort we do not know restricts the
/// credential to something we cannot judge, so nothing is allowed.
pub(crate) fn allow(who: &Principal, model: Option<&str>, format: &str) -> Result<(), &'static str> {
    if who.scopes.is_empty() {
        return Ok(());
    }
    let (mut models, mut model_fits) = (false, false);
    let (mut formats, mut format_fits) = (false, false);
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
            _ => return Err("a scope of the credential is of no known sort"),
        }
    }
    if models && !model_fits {
        return Err("the credential's scopes do not name the model");
    }
    if formats && !format_fits {
        return Err("the credential's scopes do not name the format");
    }
    Ok(())
}
