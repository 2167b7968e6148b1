//! Teaches the tagger of names, and judges it on families of sources left out in turn.

mod clusters;
mod crf;
mod data;
mod lists;
mod made;
mod score;

use std::{borrow::Cow, fs, path::Path};

use anyhow::{Context as _, ensure};
use countersign_names::{Tagger, Weights};

use data::Row;

/// Leaves each family of sources out in turn, or one, and prints what is found in it.
pub(crate) fn folds(data: &Path, only: Option<&str>) -> anyhow::Result<()> {
    let rows = data::read(data)?;
    let plain = data::plain(data)?;
    let mut families: Vec<&str> = rows.iter().map(Row::family).collect();
    families.sort_unstable();
    families.dedup();
    ensure!(only.is_none_or(|only| families.contains(&only)), "there are {families:?}");
    for family in families.into_iter().filter(|family| only.is_none_or(|only| only == *family)) {
        let (out, seen): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.family() == family);
        let bytes = bytes(&seen, &plain);
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
    let bytes = bytes(&rows, &data::plain(data)?);
    let weights = Weights::read(Cow::Owned(bytes.clone()))?;
    score::print("seen", &Tagger::new(weights), &rows);
    fs::write(out, bytes).with_context(|| out.display().to_string())
}

fn bytes(rows: &[&Row], plain: &[String]) -> Vec<u8> {
    let made = made::made();
    let rows: Vec<&Row> = rows.iter().copied().chain(&made).collect();
    let rows = rows.as_slice();
    let lexicon = lists::lexicon(rows, plain);
    let set = data::set(rows, &lexicon);
    crf::learn(&set, lexicon)
}
