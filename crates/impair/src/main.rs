//! `impair`: a bad network between clients and a server on loopback.
//!
//! It says `listen ADDRESS` once clients may come, takes orders line by line on standard input,
//! and ends by Ctrl+C or SIGTERM with its statistics as one line of JSON. Exit code 2 when
//! something failed; the last line on standard error then says what, and what to do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use conclave_impair::{Direction, PlanText, Proxy};
use tokio::io::{AsyncBufReadExt, BufReader, Stdin};

/// What scripts see when something failed.
const FAILURE: u8 = 2;

/// A bad network between clients and a server on loopback, from a seed.
#[derive(Debug, Parser)]
#[command(version, after_help = HELP)]
struct Arguments {
    /// Where clients come in, for UDP and TCP; port 0 for any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The server
    #[arg(long, value_name = "ADDRESS")]
    to: SocketAddr,
    /// A file with the plan as JSON: an object with the names of the flags below, with _ for -
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    text: PlanText,
    /// End when standard input ends
    #[arg(long)]
    exit_with_stdin: bool,
}

const HELP: &str = "\
Settings, with commas between:
  loss=5%              random loss
  burst=5%/100ms       loss in bursts of 100 ms on average that make up 5 % of the time
  burst=5%/4pkt        the same, counted in packets of each flow
  burst-every=2s/100ms loss of all for 100 ms at the end of each 2 s
  delay=25ms           one way
  jitter=10ms          delay is up to this much more or less
  reorder=on           jitter may let a datagram overtake another
  duplicate=1%         datagrams arrive twice
  rate=300kbit/s       with a queue before it (64KB)
  queue=32KB           its bound; or 50pkt
  outage=on            nothing passes
  udp=off              datagrams do not pass
'off' takes back burst, burst-every, rate, reorder and outage; 0% and 0ms the others.

Orders on standard input, one a line: up SETTINGS, down SETTINGS, both SETTINGS,
rebind (new addresses for all clients), cut (all TCP connections), stats.
Each but stats is answered by 'ok'.";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("impair: {error}");
            ExitCode::from(FAILURE)
        }
    }
}

type Failure = Box<dyn std::error::Error>;

fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut text = PlanText::default();
    if let Some(path) = &arguments.plan {
        let file = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read the plan {}: {error}", path.display()))?;
        text = PlanText::from_json(&file)?;
    }
    let plan = text.and(arguments.text).read()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        // Before anybody is told that it runs: an early SIGTERM must not cost the statistics.
        let mut ending = Ending::watch()?;
        let proxy = Proxy::start(arguments.listen, arguments.to, &plan)?;
        println!("listen {}", proxy.local_addr());
        serve(&proxy, &mut ending, arguments.exit_with_stdin).await?;
        println!("{}", serde_json::to_string(&proxy.stop())?);
        Ok(())
    });
    // A reader of standard input cannot be interrupted; nobody waits for it.
    runtime.shutdown_background();
    outcome
}

async fn serve(proxy: &Proxy, ending: &mut Ending, exit_with_stdin: bool) -> Result<(), Failure> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let orders = async {
        while follow(proxy, &mut lines).await? {}
        if !exit_with_stdin {
            std::future::pending::<()>().await;
        }
        Ok(())
    };
    tokio::select! {
        outcome = orders => outcome,
        () = ending.come() => Ok(()),
    }
}

/// Follows the next order; `false` when none will come.
async fn follow(
    proxy: &Proxy,
    lines: &mut tokio::io::Lines<BufReader<Stdin>>,
) -> Result<bool, Failure> {
    let Some(line) = lines.next_line().await? else {
        return Ok(false);
    };
    let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let done = match verb {
        "up" => change(proxy, &[Direction::Up], rest),
        "down" => change(proxy, &[Direction::Down], rest),
        "both" => change(proxy, &Direction::BOTH, rest),
        "rebind" => proxy.rebind().map_err(Failure::from),
        "cut" => {
            proxy.cut();
            Ok(())
        }
        "stats" => {
            println!("{}", serde_json::to_string(&proxy.stats())?);
            return Ok(true);
        }
        "" => return Ok(true),
        _ => Err(
            format!("there is no order '{verb}': write up, down, both, rebind, cut or stats")
                .into(),
        ),
    };
    match done {
        Ok(()) => println!("ok"),
        // The network goes on as it was.
        Err(error) => eprintln!("impair: {error}"),
    }
    Ok(true)
}

fn change(proxy: &Proxy, directions: &[Direction], text: &str) -> Result<(), Failure> {
    for direction in directions {
        proxy.set(*direction, proxy.settings(*direction).with(text)?)?;
    }
    Ok(())
}

/// Ctrl+C or SIGTERM.
#[cfg(unix)]
struct Ending {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Ending {
    fn watch() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn come(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ctrl+C.
#[cfg(windows)]
struct Ending(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Ending {
    fn watch() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn come(&mut self) {
        self.0.recv().await;
    }
}
