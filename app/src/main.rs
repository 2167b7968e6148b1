//! The `countersign` binary: command line, configuration, state and the running gateway.
//!
//! The only place that reads files, the environment and the clock, and the only one that issues stamps.

mod admin;
mod again;
mod archive;
mod assemble;
mod beside;
mod bind;
mod cli;
mod clock;
mod cluster;
mod cmd;
mod config;
mod console;
mod demo;
mod export;
mod feed;
mod fetch;
mod files;
mod force;
mod holds;
mod issuers;
mod kek;
mod playbooks;
mod policies;
mod registered;
mod reload;
mod replay;
mod retention;
mod root;
mod sign_in;
mod signals;
mod spending;
mod state;
mod story;
mod telemetry;
mod term;
mod unused;
mod watch;
mod witness;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cmd::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            term::complain(&error);
            ExitCode::from(cmd::exit_code(&error))
        }
    }
}
