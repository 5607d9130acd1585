//! The desktop window: a thin shell over `conclave_client`.
//!
//! The window draws snapshots and sends commands; meetings, keys and media live in the client.
//! No key ever reaches the window's scripts. The invite link does: it is there to be shared.

// No console window beside the app on Windows.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod arguments;
mod choices;
mod commands;
mod fallback;
mod frames;
mod profile;
mod session;
mod settings;
mod window;

use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use conclave_client::log_filter;
use tauri::Manager as _;
use tracing_subscriber::EnvFilter;

use arguments::Arguments;
use profile::Profile;
use session::Session;
use settings::Store;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let level = std::env::var("CONCLAVE_LOG").ok();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(log_filter(level.as_deref())?))
        .with_writer(std::io::stderr)
        .init();
    let app = commands::register(tauri::Builder::default())
        .register_asynchronous_uri_scheme_protocol(frames::SCHEME, frames::answer)
        .setup(move |app| {
            let folders = settings::Folders::of(app.path(), &arguments.profile)?;
            let data = folders.data.clone();
            let profile = Profile::new(folders.config.join("identity"));
            app.manage(Arc::clone(&profile));
            app.manage(Session::new(
                arguments,
                Store::open(folders.config),
                profile,
            ));
            window::open(app, data)?;
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("the window could not be made ready")?;
    app.run(|app, event| {
        // Closing the window leaves the meeting in good order: members hear of it at once.
        if let tauri::RunEvent::Exit = event {
            tauri::async_runtime::block_on(app.state::<Session>().shut_down());
        }
    });
    Ok(())
}
