//! Teaches the classifier and judges detectors: reads the development data, learns weights, leaves families of sources out in turn.
//!
//! It is a tool of the workshop (`cargo xtask train`, `cargo xtask bench detect`) and no part of the product.
#![expect(clippy::print_stdout, reason = "its tables are what it is for")]

mod disguise;
mod folds;
mod learn;
mod made;
mod names;
mod report;
mod rows;
mod watch;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The trainer.
#[derive(Parser)]
struct Cli {
    /// The folder of the development data
    #[arg(long, default_value = "../shared/data/injection/dev")]
    data: PathBuf,
    /// What the guard makes of them
    #[arg(long, default_value = "target/detect/views.jsonl")]
    views: PathBuf,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Leave each family of sources out in turn and write what is predicted of it
    Folds {
        /// Where predictions go
        #[arg(long, default_value = "target/detect/linear.jsonl")]
        out: PathBuf,
    },
    /// Learn from everything and write the weights
    Weights {
        /// Where the weights go
        #[arg(long, default_value = "crates/base/classifier/weights/linear.bin")]
        out: PathBuf,
    },
    /// Calibrate weights by what was predicted of left-out families
    Calibrate {
        /// Predictions of left-out families
        #[arg(long, default_value = "target/detect/linear.jsonl")]
        predictions: PathBuf,
        /// The weights
        #[arg(long, default_value = "crates/base/classifier/weights/linear.bin")]
        out: PathBuf,
    },
    /// Leave each family of marked names out in turn and print what is found in it
    NamesFolds {
        /// The folder of the marked data
        #[arg(long, default_value = "../shared/data/pii/dev")]
        names: PathBuf,
        /// One family alone
        #[arg(long)]
        only: Option<String>,
    },
    /// Learn names from everything that is marked and write the weights
    NamesWeights {
        /// The folder of the marked data
        #[arg(long, default_value = "../shared/data/pii/dev")]
        names: PathBuf,
        /// Where the weights go
        #[arg(long, default_value = "crates/base/names/weights/names.bin")]
        out: PathBuf,
    },
    /// How soon the watch sees a life go wrong
    Watch {
        /// Predictions of left-out families
        #[arg(long, default_value = "target/detect/linear.jsonl")]
        predictions: PathBuf,
        /// Conversations with an agent
        #[arg(long, default_value = "../shared/vectors/sessions/tau-bench-gpt-4o-airline.json")]
        sessions: PathBuf,
    },
    /// Print tables of predictions
    Report {
        /// Predictions, one file for each detector
        predictions: Vec<PathBuf>,
        /// Only the rows that this file speaks of
        #[arg(long)]
        sample: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match &cli.task {
        Task::NamesFolds { names, only } => return names::folds(names, only.as_deref()),
        Task::NamesWeights { names, out } => return names::weights(names, out),
        _ => {}
    }
    let rows = rows::read(&cli.data)?;
    let seen = rows::seen(&cli.views, &rows)?;
    match cli.task {
        Task::NamesFolds { .. } | Task::NamesWeights { .. } => Ok(()),
        Task::Folds { out } => folds::folds(&rows, &seen, &out),
        Task::Weights { out } => folds::weights(&rows, &seen, &out),
        Task::Calibrate { predictions, out } => folds::calibrate(&rows, &predictions, &out),
        Task::Watch { predictions, sessions } => watch::bench(&rows, &seen, &predictions, &sessions),
        Task::Report { predictions, sample } => report::print(&rows, &seen, &predictions, sample.as_deref()),
    }
}
