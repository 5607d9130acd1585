//! Conclave's server: the delivery service and the media relay behind one port number.

mod certificate;
mod https;
mod options;
mod relay;
mod serve;
mod stop;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use conclave_server::limits::DRAIN;

use crate::options::Options;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(options.log.filter()))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let outcome = run(&options);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(serve::run(options));
    // Whatever still blocks a thread must not keep the process.
    runtime.shutdown_timeout(DRAIN);
    outcome
}
