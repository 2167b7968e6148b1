//! What is counted of those who hold the audit log to its word: witnesses, and the archive.

use countersign_core::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// How far witnesses and the archive have come. Clones count together.
#[derive(Clone, Default)]
pub struct Evidence {
    cosigned: Family<ByWitness, Gauge>,
    cosigned_behind: Family<ByWitness, Gauge>,
    cosigned_at: Family<ByWitness, Gauge>,
    archived: Family<Alone, Gauge>,
    archive_behind: Family<Alone, Gauge>,
    anchored: Family<Alone, Gauge>,
    anchored_at: Family<Alone, Gauge>,
}

/// No label: there is one archive, or none, of which nothing is said.
type Alone = [(&'static str, &'static str); 0];

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByWitness {
    witness: String,
}

impl Evidence {
    /// Registers what is counted.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Records of the audit log that a witness has cosigned";
        registry.register("witness_cosigned_records", help, self.cosigned.clone());
        let help = "Records under a checkpoint that a witness has not cosigned yet";
        registry.register("witness_behind_records", help, self.cosigned_behind.clone());
        let help = "When a witness last cosigned, since 1970";
        registry.register_with_unit("witness_cosigned_time", help, Unit::Seconds, self.cosigned_at.clone());
        let help = "Records of the audit log that are in the archive";
        registry.register("archive_copied_records", help, self.archived.clone());
        let help = "Records under a checkpoint that are not in the archive yet";
        registry.register("archive_behind_records", help, self.archive_behind.clone());
        let help = "Records under the newest checkpoint that is locked in the archive";
        registry.register("archive_anchored_records", help, self.anchored.clone());
        let help = "When a checkpoint was last locked in the archive, since 1970";
        registry.register_with_unit("archive_anchored_time", help, Unit::Seconds, self.anchored_at.clone());
    }

    /// A witness has cosigned the first `records` of the log, of which there are `behind` more.
    pub fn cosigned(&self, witness: &str, records: u64, behind: u64, at: Option<Timestamp>) {
        let of = ByWitness { witness: witness.to_owned() };
        self.cosigned.get_or_create(&of).set(number(records));
        self.cosigned_behind.get_or_create(&of).set(number(behind));
        if let Some(at) = at {
            self.cosigned_at.get_or_create(&of).set(number(at.seconds()));
        }
    }

    /// The archive has the first `records` of the log, of which there are `behind` more.
    pub fn archived(&self, records: u64, behind: u64) {
        self.archived.get_or_create(&[]).set(number(records));
        self.archive_behind.get_or_create(&[]).set(number(behind));
    }

    /// A checkpoint of so many records was locked in the archive.
    pub fn anchored(&self, records: u64, at: Timestamp) {
        self.anchored.get_or_create(&[]).set(number(records));
        self.anchored_at.get_or_create(&[]).set(number(at.seconds()));
    }

    /// There is no archive any more.
    pub fn unarchived(&self) {
        [&self.archived, &self.archive_behind, &self.anchored, &self.anchored_at].into_iter().for_each(Family::clear);
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn how_far_witnesses_and_the_archive_are_is_told_and_of_no_archive_nothing() {
        let (evidence, mut registry) = (Evidence::default(), Registry::default());
        evidence.register(&mut registry);
        let text = |registry: &Registry| {
            let mut text = String::new();
            encode(&mut text, registry).unwrap();
            text
        };
        evidence.cosigned("node-2/witness", 90, 10, Some(Timestamp(7_000_000)));
        evidence.cosigned("node-3/witness", 0, 100, None);
        evidence.archived(80, 20);
        evidence.anchored(70, Timestamp(6_000_000));
        let told = text(&registry);
        for line in [
            "witness_cosigned_records{witness=\"node-2/witness\"} 90",
            "witness_behind_records{witness=\"node-3/witness\"} 100",
            "witness_cosigned_time_seconds{witness=\"node-2/witness\"} 7",
            "archive_copied_records{} 80",
            "archive_behind_records{} 20",
            "archive_anchored_records{} 70",
            "archive_anchored_time_seconds{} 6",
        ] {
            assert!(told.lines().any(|told| told == line), "{line}: {told}");
        }
        assert!(!told.contains("witness_cosigned_time_seconds{witness=\"node-3"), "{told}");
        evidence.unarchived();
        assert!(!text(&registry).lines().any(|line| line.starts_with("archive_")));
    }
}
