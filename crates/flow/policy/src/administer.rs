//! What is done to the gateway rather than asked of a model: one action of the schema each.
//!
//! Threat: a policy written for models that also opens the gateway's own doors. So each of these is permitted only where a
//! `permit` names it in its head, and none of them stands for another.

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {
        /// A deed on the gateway itself. The schema has an action of the same name on `Gateway`.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Administer { $($(#[$doc])* $name,)* }

        impl Administer {
            /// Every one, in the order of the schema.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The action's id in policies, as in `listKeys`.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $id,)* } }
        }
    };
}

// A line here, its word in `schema.cedarschema` and in `docs/reference/policy.md`; tests fail without them.
actions! {
    /// Reads what the gateway has counted.
    Observe = "observe";
    /// Reads which API keys there are; never the keys.
    ListKeys = "listKeys";
    /// Makes an API key.
    CreateKey = "createKey";
    /// Ends an API key.
    RevokeKey = "revokeKey";
    /// Reads which revocations there are.
    ListRevocations = "listRevocations";
    /// Revokes what a target covers.
    Revoke = "revoke";
    /// Lifts a revocation.
    LiftRevocation = "liftRevocation";
    /// Reads the policies in force.
    ReadPolicy = "readPolicy";
    /// Writes the policies: with it one may permit oneself everything.
    WritePolicy = "writePolicy";
    /// Asks for access that has to be approved.
    RequestAccess = "requestAccess";
    /// Reads what access others asked for.
    ListRequests = "listRequests";
    /// Approves somebody else's request for access.
    ApproveRequest = "approveRequest";
    /// Denies a request for access.
    DenyRequest = "denyRequest";
    /// Takes access without approval, to be reviewed afterwards.
    BreakGlass = "breakGlass";
    /// Reviews access that was taken without approval.
    ReviewAccess = "reviewAccess";
    /// Reads which grants there are.
    ListGrants = "listGrants";
    /// Ends a grant before its time.
    EndGrant = "endGrant";
    /// Opens a session on access that was granted.
    OpenSession = "openSession";
    /// Reads who may do what, and which permissions nobody has used.
    ReportUnused = "reportUnused";
    /// Keeps users and groups in step with a directory, by SCIM.
    Provision = "provision";
    /// Hands in security events about principals.
    SendSignals = "sendSignals";
    /// Reads the gateway's own security events.
    ReadSignals = "readSignals";
    /// Reads what is on record, one request at a time, with proofs. Each look is on record itself.
    ReadAudit = "readAudit";
    /// Reads how much is used, with noise that hides each caller.
    ReadStatistics = "readStatistics";
    /// Signs in at the console.
    OpenConsole = "openConsole";
    /// Reads who asked what of models and what was decided, request by request; never a text.
    ReadTraffic = "readTraffic";
    /// Says whether a verdict of the guards was right.
    GiveFeedback = "giveFeedback";
    /// Has texts looked at by the guards, and learns what they find.
    Scan = "scan";
    /// Has the keys of a tenant, a person or a conversation destroyed.
    Forget = "forget";
    /// Reads who is held back, why, and until when.
    ListRestraints = "listRestraints";
    /// Holds somebody back: throttles, asks for a login, leaves them reading, sets them aside.
    Restrain = "restrain";
    /// Releases somebody who is held back.
    Release = "release";
    /// Reads which playbooks there are and what they did.
    ListRuns = "listRuns";
    /// Approves or declines what a playbook may not do by itself.
    DecideRun = "decideRun";
    /// Reads which legal holds there are.
    ListHolds = "listHolds";
    /// Adds a legal hold.
    AddHold = "addHold";
    /// Asks that a legal hold be released, or agrees to it.
    ReleaseHold = "releaseHold";
    /// Says of rights that were reviewed whether they are to be kept.
    CertifyAccess = "certifyAccess";
    /// Sees the value behind a stand-in that is the same everywhere in a tenant.
    Reveal = "reveal";
}

impl Administer {
    /// Whether it changes nothing: what somebody may still do who is held to reading.
    #[must_use]
    pub const fn reads(self) -> bool {
        use Administer::{
            ListGrants, ListHolds, ListKeys, ListRequests, ListRestraints, ListRevocations, ListRuns, Observe,
            OpenConsole, ReadAudit, ReadPolicy, ReadSignals, ReadStatistics, ReadTraffic, ReportUnused, Scan,
        };
        matches!(
            self,
            Observe
                | ListKeys
                | ListRestraints
                | ListRuns
                | ListRevocations
                | ReadPolicy
                | ListRequests
                | ListGrants
                | ListHolds
                | ReportUnused
                | ReadSignals
                | ReadAudit
                | ReadStatistics
                | OpenConsole
                | ReadTraffic
                | Scan
        )
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, str::FromStr};

    use cedar_policy::Schema;

    use super::*;
    use crate::SCHEMA;

    #[test]
    fn the_schema_and_its_reference_know_each_and_no_more() {
        let schema = Schema::from_str(SCHEMA).unwrap();
        let gateway = "Countersign::Gateway".parse().unwrap();
        let known: BTreeSet<String> = schema
            .actions_for_principal_and_resource(&"Countersign::Person".parse().unwrap(), &gateway)
            .map(|action| action.id().unescaped().to_owned())
            .collect();
        let ours: BTreeSet<String> = Administer::ALL.iter().map(|what| what.as_str().to_owned()).collect();
        assert_eq!(known, ours);
        let reference = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/reference/policy.md");
        let reference = fs::read_to_string(reference).unwrap();
        for what in ours {
            assert!(reference.contains(&format!("| `{what}` |")), "the reference does not tell of `{what}`");
        }
    }
}
