//! What the end-to-end tests stand on: whole programs, started as a user starts them, and
//! instruments that look at them from outside.
//!
//! - [`programs`], [`process`]: find and run the project's programs, and end them again.
//! - [`server`], [`person`], [`home`], [`event`]: a server process and people at it, by the CLI.
//! - [`hostile`], [`faults`]: a server that lies; [`impair`]: a network that loses;
//!   [`proxy`]: one that lets nothing out but through an HTTP proxy.
//! - [`window`], [`webdriver`], [`display`], [`sound`]: the desktop window without a desktop.
//! - [`picture`], [`wave`]: does what arrived resemble what was sent?
//! - [`wiretap`], [`memory`], [`needles`], [`aes_keys`]: does a secret show where it must not?
//! - [`workspace`]: the repository and its dependency graph.
//!
//! Everything here may panic: a harness that cannot do its work has failed the test.

pub mod aes_keys;
pub mod display;
pub mod event;
pub mod faults;
pub mod home;
pub mod hostile;
pub mod impair;
pub mod memory;
pub mod needles;
pub mod person;
pub mod picture;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod server;
pub mod sound;
pub mod wave;
pub mod webdriver;
pub mod window;
pub mod wiretap;
pub mod workspace;
