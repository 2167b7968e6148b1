//! Which parts of a request's context a set of policies can read at all.
//!
//! The answer may only err by naming too much. What is not named is neither shown to the policies nor part of the cache's
//! key, so that a policy reading it after all would fail to evaluate, which refuses.

use std::fmt;

use serde_json::Value;

/// A set of context attributes, one bit each.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(crate) struct Mentions(u32);

impl Mentions {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const FORMAT: Self = Self(1);
    pub(crate) const STREAM: Self = Self(1 << 1);
    pub(crate) const MAX_TOKENS: Self = Self(1 << 2);
    pub(crate) const TOOLS: Self = Self(1 << 3);
    pub(crate) const ATTACHMENTS: Self = Self(1 << 4);
    pub(crate) const METHOD: Self = Self(1 << 5);
    pub(crate) const LISTENER: Self = Self(1 << 6);
    pub(crate) const IP: Self = Self(1 << 7);
    pub(crate) const HOUR: Self = Self(1 << 8);
    pub(crate) const MINUTE: Self = Self(1 << 9);
    pub(crate) const WEEKDAY: Self = Self(1 << 10);
    pub(crate) const EPOCH: Self = Self(1 << 11);
    pub(crate) const TIME: Self = Self(Self::HOUR.0 | Self::MINUTE.0 | Self::WEEKDAY.0 | Self::EPOCH.0);
    pub(crate) const SCOPES: Self = Self(1 << 12);
    pub(crate) const FINDINGS: Self = Self(1 << 13);
    pub(crate) const MASKED: Self = Self(1 << 14);
    pub(crate) const TARGET: Self = Self(1 << 15);
    /// What an access token says that stays as it is.
    pub(crate) const TOKEN: Self = Self(1 << 16);
    /// How long ago it was issued, and its bearer logged in.
    pub(crate) const AGES: Self = Self(1 << 17);
    /// What the request proves to hold.
    pub(crate) const POSSESSION: Self = Self(1 << 18);
    /// What others say of the principal.
    pub(crate) const STANDING: Self = Self(1 << 19);
    /// The granted access.
    pub(crate) const GRANT: Self = Self(1 << 20);
    /// What the context of a tool's call is tainted by.
    pub(crate) const TAINT: Self = Self(1 << 21);
    /// Whether one of its arguments stands in text that the caller did not write.
    pub(crate) const COPIED: Self = Self(1 << 22);
    /// Whether the granted access names the tool.
    pub(crate) const GRANTED: Self = Self(1 << 23);
    /// How far the watch thinks that something is wrong.
    pub(crate) const RISK: Self = Self(1 << 24);
    pub(crate) const ALL: Self = Self(u32::MAX);

    /// The attributes of the context that have a bit in the set, by name.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let names = [
            (Self::FORMAT, "format"),
            (Self::STREAM, "stream"),
            (Self::MAX_TOKENS, "max_tokens"),
            (Self::TOOLS, "tools"),
            (Self::ATTACHMENTS, "attachments"),
            (Self::METHOD, "method"),
            (Self::LISTENER, "listener"),
            (Self::IP, "ip"),
            (Self::TIME, "time"),
            (Self::SCOPES, "scopes"),
            (Self::FINDINGS, "findings"),
            (Self::MASKED, "masked"),
            (Self::TARGET, "target"),
            (Self::TOKEN.and(Self::AGES), "token"),
            (Self::POSSESSION, "possession"),
            (Self::STANDING, "standing"),
            (Self::RISK, "risk"),
            (Self::GRANT, "grant"),
            (Self::TAINT, "taint"),
            (Self::COPIED, "copied"),
            (Self::GRANTED, "granted"),
        ];
        names.into_iter().filter(|(attribute, _)| self.holds(*attribute)).map(|(_, name)| name).collect()
    }

    /// Whether any bit of `other` is in the set.
    pub(crate) const fn holds(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What the policy whose JSON form (Cedar's own, from `Policy::to_json`) is `node` can read.
    pub(crate) fn of(node: &Value) -> Self {
        if let Some(path) = context_path(node) {
            return attribute(&path, node.get("has").is_some());
        }
        match node {
            Value::Array(items) => items.iter().fold(Self::NONE, |all, item| all.and(Self::of(item))),
            Value::Object(members) => members.values().fold(Self::NONE, |all, item| all.and(Self::of(item))),
            _ => Self::NONE,
        }
    }
}

impl fmt::Debug for Mentions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mentions({:#023b})", self.0)
    }
}

/// The attributes on the way from `context` to `node`, where `node` is `context`, `context.a`, `context has a` or deeper.
fn context_path(node: &Value) -> Option<Vec<&str>> {
    let Value::Object(members) = node else { return None };
    let mut members = members.iter();
    let ((name, inner), None) = (members.next()?, members.next()) else { return None };
    match name.as_str() {
        "Var" if inner == "context" => Some(Vec::new()),
        "." | "has" => {
            let mut path = context_path(inner.get("left")?)?;
            // An attribute in a form we do not know is as good as any.
            path.push(inner.get("attr").and_then(Value::as_str).unwrap_or("?"));
            Some(path)
        }
        _ => None,
    }
}

/// What reading `path` below the context reads; everything when in doubt.
///
/// `whether` says that it is only asked whether it is there.
fn attribute(path: &[&str], whether: bool) -> Mentions {
    match path {
        ["format"] => Mentions::FORMAT,
        ["stream"] => Mentions::STREAM,
        ["max_tokens"] => Mentions::MAX_TOKENS,
        ["tools"] => Mentions::TOOLS,
        ["attachments"] => Mentions::ATTACHMENTS,
        ["method"] => Mentions::METHOD,
        ["listener"] => Mentions::LISTENER,
        ["ip"] => Mentions::IP,
        ["time", "hour"] => Mentions::HOUR,
        ["time", "minute"] => Mentions::MINUTE,
        ["time", "weekday"] => Mentions::WEEKDAY,
        ["time", "epoch"] => Mentions::EPOCH,
        ["time"] => Mentions::TIME,
        ["scopes"] => Mentions::SCOPES,
        ["token", "age" | "login_age"] => Mentions::AGES,
        ["token", "issuer" | "client" | "acr" | "amr" | "acts"] => Mentions::TOKEN,
        ["token"] if whether => Mentions::TOKEN,
        ["token"] => Mentions::TOKEN.and(Mentions::AGES),
        ["possession"] => Mentions::POSSESSION,
        ["standing", ..] => Mentions::STANDING,
        ["risk"] => Mentions::RISK,
        ["grant", ..] => Mentions::GRANT,
        ["findings"] => Mentions::FINDINGS,
        ["masked"] => Mentions::MASKED,
        ["target"] => Mentions::TARGET,
        ["taint"] => Mentions::TAINT,
        ["copied"] => Mentions::COPIED,
        ["granted"] => Mentions::GRANTED,
        _ => Mentions::ALL,
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::Policy;

    use super::*;

    fn of(condition: &str) -> Mentions {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        Mentions::of(&Policy::parse(None, text).unwrap().to_json().unwrap())
    }

    #[test]
    fn plain_reads_are_told_apart() {
        assert_eq!(of("true"), Mentions::NONE);
        assert_eq!(of("context.stream"), Mentions::STREAM);
        assert_eq!(of("context has max_tokens && context.max_tokens < 5"), Mentions::MAX_TOKENS);
        assert_eq!(
            of("context.time.hour < 5 || context.time.weekday == \"monday\""),
            Mentions::HOUR.and(Mentions::WEEKDAY)
        );
        assert_eq!(of("context has ip && context.ip.isInRange(ip(\"10.0.0.0/8\"))"), Mentions::IP);
        assert_eq!(of("context[\"listener\"] == \"x\""), Mentions::LISTENER);
        assert_eq!(
            of("[context.tools].isEmpty() || {a: {b: context.target}}.a.b like \"x*\""),
            Mentions::TOOLS.and(Mentions::TARGET)
        );
        assert_eq!(
            of("if context.masked then context.findings.contains(\"x\") else context has scopes"),
            Mentions::MASKED.and(Mentions::FINDINGS).and(Mentions::SCOPES)
        );
    }

    #[test]
    fn every_attribute_of_the_schema_has_its_name_here() {
        let schema = crate::SCHEMA;
        let (_, call) = schema.split_once("action callTool").unwrap();
        let (_, context) = call.split_once("context: {").unwrap();
        let (context, _) = context.split_once('}').unwrap();
        let mut declared: Vec<_> =
            context.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().trim_end_matches('?'))).collect();
        let mut named = Mentions::ALL.names();
        declared.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, declared);
        assert!(Mentions::NONE.names().is_empty());
    }

    #[test]
    fn the_context_as_a_whole_is_everything() {
        for whole in [
            "context == context",
            "{a: context}.a.stream",
            "(if true then context else context).stream",
            "[context].contains({a: 1})",
        ] {
            assert_eq!(of(whole), Mentions::ALL, "{whole}");
        }
        assert_eq!(of("context.time == {hour: 1, minute: 1, weekday: \"monday\", epoch: 1}"), Mentions::TIME);
        assert_eq!(of("{a: context.time}.a.hour == 3"), Mentions::TIME);
        assert_eq!(of("context.time has hour"), Mentions::HOUR);
        assert_eq!(of("context has token"), Mentions::TOKEN);
        assert_eq!(of("context.token == context.token"), Mentions::TOKEN.and(Mentions::AGES));
        assert_eq!(of("context.token.age < 5 || context.token has login_age"), Mentions::AGES);
        assert_eq!(of("context.token.amr.contains(\"mfa\")"), Mentions::TOKEN);
        assert_eq!(of("context.possession == \"dpop\""), Mentions::POSSESSION);
        assert_eq!(of("context.standing has risk && context.standing.risk == \"high\""), Mentions::STANDING);
        assert_eq!(of("context has grant && context.grant.access == \"x\""), Mentions::GRANT);
        assert_eq!(of("context.risk < 50"), Mentions::RISK);
        assert_eq!(of("context has unheard_of"), Mentions::ALL);
    }

    #[test]
    fn names_in_strings_and_on_other_things_do_not_count() {
        assert_eq!(of("resource.name == \"context.stream\""), Mentions::NONE);
        assert_eq!(of("principal.subject like \"*time*\""), Mentions::NONE);
    }
}
