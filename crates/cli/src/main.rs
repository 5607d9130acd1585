//! `conclave`: the client without a window, for scripts, tests and measurements.
//!
//! Exit code 0 when the meeting ended by somebody's wish, 2 when something failed; the last line
//! on standard error then says what, and what to do.

mod args;
mod demo;
mod devices;
mod meet;
mod orders;
mod present;
mod report;
mod scans;
mod sharing;
mod who;

use std::process::ExitCode;

use clap::Parser;
use conclave_client::log_filter;
use tracing_subscriber::EnvFilter;

use crate::args::{Arguments, Task};

/// What scripts see when something failed.
const FAILURE: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match begin_log().and_then(|()| run(arguments.task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", devices::with_flags(&error));
            ExitCode::from(FAILURE)
        }
    }
}

fn begin_log() -> anyhow::Result<()> {
    let level = std::env::var("CONCLAVE_LOG").ok();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(log_filter(level.as_deref())?))
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}

fn run(task: Task) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        match task {
            Task::Host(host) => meet::host(host).await,
            Task::Join(join) => meet::join(join).await,
            Task::Demo(demo) => demo::run(demo).await,
            Task::Devices(listing) => devices::list(listing.json),
            Task::Identity(task) => who::identity(task),
            Task::Contacts(task) => who::contacts(task),
        }
    });
    // A reader of standard input cannot be interrupted; nobody waits for it.
    runtime.shutdown_background();
    outcome
}
