//! When to stop: a signal, or the end of standard input.

use std::io::Read as _;

use tokio::sync::watch;

/// Turns true once, when the server is to stop.
///
/// # Errors
/// When the system lets no signal handler be set.
pub fn watch_for(exit_with_stdin: bool) -> std::io::Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let signal = signal()?;
    if exit_with_stdin {
        let stop = stop.clone();
        // A plain thread: a blocked read of standard input must not hold the runtime at exit.
        std::thread::Builder::new()
            .name("stdin".into())
            .spawn(move || {
                let mut stdin = std::io::stdin().lock();
                while matches!(stdin.read(&mut [0; 256]), Ok(1..)) {}
                stop.send_replace(true);
            })?;
    }
    tokio::spawn(async move {
        signal.await;
        stop.send_replace(true);
    });
    Ok(stopped)
}

#[cfg(unix)]
fn signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
