//! Teaches the tagger of names, and judges it on families of sources left out in turn.
//!
//! Beside the marked data it learns from what `train/names/teacher.sh` leaves in `target/names`: groups of words, and texts that
//! another tagger marked.

mod crf;
mod data;
mod lists;
mod made;
mod score;

use std::{borrow::Cow, collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, ensure};
use countersign_names::{Tagger, Weights, token};

use data::Row;

/// Leaves each family of sources out in turn, or one, and prints what is found in it.
pub(crate) fn folds(data: &Path, only: Option<&str>) -> anyhow::Result<()> {
    let rows = data::read(data)?;
    let (plain, taught) = (data::plain(data)?, Taught::read(Path::new(TAUGHT))?);
    let mut families: Vec<&str> = rows.iter().map(Row::family).collect();
    families.sort_unstable();
    families.dedup();
    ensure!(only.is_none_or(|only| families.contains(&only)), "there are {families:?}");
    for family in families.into_iter().filter(|family| only.is_none_or(|only| only == *family)) {
        let (out, seen): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.family() == family);
        let bytes = bytes(&seen, &plain, &taught);
        fs::create_dir_all("target/names")?;
        fs::write(format!("target/names/{family}.bin"), &bytes)?;
        score::print(&format!("{family} left out"), &Tagger::new(Weights::read(Cow::Owned(bytes))?), &out);
    }
    Ok(())
}

/// Learns from everything and writes the weights.
pub(crate) fn weights(data: &Path, out: &Path) -> anyhow::Result<()> {
    let rows = data::read(data)?;
    let rows: Vec<&Row> = rows.iter().collect();
    let bytes = bytes(&rows, &data::plain(data)?, &Taught::read(Path::new(TAUGHT))?);
    let weights = Weights::read(Cow::Owned(bytes.clone()))?;
    score::print("seen", &Tagger::new(weights), &rows);
    fs::write(out, bytes).with_context(|| out.display().to_string())
}

/// What another tagger knows.
struct Taught {
    /// Groups of words used alike.
    groups: BTreeMap<u64, u8>,
    /// Texts that it marked.
    silver: Vec<Row>,
}

impl Taught {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let lacks = || format!("{} is not whole: run `sh train/names/teacher.sh`", folder.display());
        let groups = fs::read_to_string(folder.join("groups.txt")).with_context(lacks)?;
        let group = |line: &str| {
            let (word, group) = line.split_once(' ').with_context(lacks)?;
            Ok((token::hash(word), group.parse()?))
        };
        let groups = groups.lines().map(group).collect::<anyhow::Result<_>>()?;
        let silver = fs::read_to_string(folder.join("silver.jsonl")).with_context(lacks)?;
        let silver = silver.lines().map(|line| Row::read(data::SILVER, line)).collect::<anyhow::Result<_>>()?;
        Ok(Self { groups, silver })
    }
}

fn bytes(rows: &[&Row], plain: &[String], taught: &Taught) -> Vec<u8> {
    let made = made::made();
    let rows: Vec<&Row> = rows.iter().copied().chain(&made).chain(&taught.silver).collect();
    let rows = rows.as_slice();
    let lexicon = lists::lexicon(rows, plain, &taught.groups);
    let set = data::set(rows, &lexicon);
    crf::learn(&set, lexicon)
}

const TAUGHT: &str = "target/names";
