//! Teaching the classifier and the tagger of names, and judging detectors: drives the trainer, which is a crate of its own so that it is built optimised.

use std::{fs::File, process::Command};

use anyhow::{Context as _, ensure};

use crate::shell::{cargo, root, run, say, shared, target};

/// Learns the weights that the product ships, from the development data, with what families left out in turn say about them.
pub(crate) fn train() -> anyhow::Result<()> {
    views()?;
    run(&mut trainer(&["folds"]))?;
    run(&mut trainer(&["weights"]))?;
    run(&mut trainer(&["calibrate"]))?;
    run(Command::new("sh").arg("train/names/teacher.sh").current_dir(root()))?;
    run(&mut trainer(&["names-weights"]))
}

/// Judges the rules, the linear lane and both on families of sources left out in turn, beside other detectors that run offline.
pub(crate) fn bench(others: bool) -> anyhow::Result<()> {
    views()?;
    run(&mut trainer(&["folds"]))?;
    run(&mut trainer(&["report", "target/detect/linear.jsonl"]))?;
    if others {
        run(Command::new("sh").arg("train/others/run.sh").current_dir(root()))?;
        let sample = "target/detect/stackone-defender.jsonl";
        let all = ["target/detect/linear.jsonl", "target/detect/armorer-guard.jsonl", sample];
        run(trainer(&["report", "--sample", sample]).args(all))?;
    }
    Ok(())
}

/// Judges the watch on lives made of the development data, with scores of families left out in turn.
pub(crate) fn watch() -> anyhow::Result<()> {
    let made = target().join("detect/linear.jsonl");
    if made.exists() {
        say(&format!("scores of left-out families are there: {} (remove it to have them made again)", made.display()));
    } else {
        views()?;
        run(&mut trainer(&["folds"]))?;
    }
    run(&mut trainer(&["watch"]))
}

/// Writes what the guard makes of each row.
fn views() -> anyhow::Result<()> {
    let data = shared().join("data/injection/dev");
    ensure!(
        data.is_dir(),
        "the development data is not there: {}; nothing can be learned or judged without it",
        data.display()
    );
    let folder = target().join("detect");
    std::fs::create_dir_all(&folder)?;
    let out = File::create(folder.join("views.jsonl"))?;
    let mut views =
        cargo(["run", "--quiet", "--release", "--package", "countersign-guard", "--example", "views", "--"]);
    say("what the guard makes of the development data");
    let status = views.arg(data).stdout(out).status().context("the guard's example `views` cannot be started")?;
    ensure!(status.success(), "the guard's example `views` failed with {status}");
    Ok(())
}

fn trainer(args: &[&str]) -> Command {
    let mut command = cargo(["run", "--quiet", "--release", "--package", "countersign-train", "--"]);
    command.args(args);
    command
}
