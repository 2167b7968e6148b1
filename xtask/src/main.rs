//! The workshop's one door: what CI does, in the same order, by the same commands.

mod audit;
mod bench;
mod console;
mod detect;
mod fuzz;
mod generate;
mod shell;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The workshop.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need, then everything CI checks: tidy, audit, unit to end-to-end tests
    Test {
        /// Only the checks that take seconds: tidy, format, lints
        #[arg(long)]
        quick: bool,
    },
    /// Check the house rules: arrows, file sizes, stamps, promises, pages, generated files
    Tidy,
    /// Check the lock file against the RustSec advisory database
    Audit,
    /// Write the generated references (schema, command line, error codes)
    Gen {
        /// Fail if they are stale instead of writing them
        #[arg(long)]
        check: bool,
    },
    /// Measure, side by side with others
    #[command(subcommand)]
    Bench(Bench),
    /// Teach the classifier: learn the weights that the product ships
    Train,
    /// Fetch what the console's pages are made with and write `console/vendor` anew
    Console,
    /// Take the console's pictures for the documents, in Chromium
    Screenshots,
    /// Run every fuzz target for a while
    Fuzz {
        /// Only this target
        target: Option<String>,
        /// Seconds for each
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// What one request through the gateway costs
    Gateway {
        /// Seconds for each line
        #[arg(long, default_value_t = 4)]
        seconds: u64,
        /// Only the subject whose name holds this
        #[arg(long)]
        only: Option<String>,
    },
    /// How fast records become durable, signed and provable, side by side with SQLite
    Audit {
        /// Seconds for each line
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Whether random edits of a log are all found and located
    Edits {
        /// How many
        #[arg(long, default_value_t = 1_000_000)]
        edits: u64,
    },
    /// How long the console's lists and pages take with many requests at hand
    Console {
        /// How many
        #[arg(long, default_value_t = 100_000)]
        requests: usize,
    },
    /// How long it takes until the gateway listens, and how much memory it holds, with everything loaded
    Start {
        /// How often it is started
        #[arg(long, default_value_t = 9)]
        times: u32,
        /// Seconds for each kind of request
        #[arg(long, default_value_t = 3)]
        seconds: u64,
    },
    /// How fast sensitive values are found, side by side with Presidio and redact-core
    Data,
    /// What detectors find and mistake, on families of sources left out in turn
    Detect {
        /// Ask others' detectors from PyPI as well, in a virtual environment below the target directory
        #[arg(long)]
        others: bool,
    },
    /// How soon the watch sees a life go wrong, side by side with what else could be done with the same scores
    Watch,
    /// How long who is revoked or set aside goes on, on one node or on several
    Revocation {
        /// Rounds of each way
        #[arg(long, default_value_t = 1000)]
        rounds: usize,
        /// Streams open at each
        #[arg(long, default_value_t = 200)]
        streams: usize,
        /// Gateways, over one PostgreSQL and one Redis where there are several
        #[arg(long, default_value_t = 1)]
        nodes: usize,
        /// Another binary than the release build
        #[arg(long)]
        binary: Option<std::path::PathBuf>,
    },
    /// How many tries somebody needs who says what was refused in other ways
    Adapt {
        /// Tries for each attack
        #[arg(long, default_value_t = 64)]
        tries: usize,
        /// The same tries for the same seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    std::env::set_current_dir(shell::root())?;
    match Cli::parse().task {
        Task::Test { quick } => test::run(quick),
        Task::Tidy => tidy::run(),
        Task::Audit => audit::run(),
        Task::Gen { check } => generate::run(check),
        Task::Bench(Bench::Gateway { seconds, only }) => bench::gateway(seconds, only.as_deref()),
        Task::Bench(Bench::Revocation { rounds, streams, nodes, binary }) => {
            bench::revocation(&bench::Rounds { rounds, streams, nodes, binary })
        }
        Task::Bench(Bench::Adapt { tries, seed }) => bench::adapt(tries, seed),
        Task::Bench(Bench::Audit { seconds }) => bench::audit(seconds),
        Task::Bench(Bench::Edits { edits }) => bench::edits(edits),
        Task::Bench(Bench::Console { requests }) => bench::console(requests),
        Task::Bench(Bench::Start { times, seconds }) => bench::start(times, seconds),
        Task::Bench(Bench::Data) => bench::data(),
        Task::Bench(Bench::Watch) => detect::watch(),
        Task::Bench(Bench::Detect { others }) => detect::bench(others),
        Task::Train => detect::train(),
        Task::Console => console::vendor(),
        Task::Screenshots => console::screenshots(),
        Task::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
    }
}
