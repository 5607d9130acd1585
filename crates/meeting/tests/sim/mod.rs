//! Whole meetings in memory: the machines and their cryptography are the real ones, the delivery
//! service is a small one that follows the rules of `conclave-wire`.
//!
//! [`people`] is for tests that tell one story step by step, with a network that takes no time.
//! [`play`] makes a story from a seed: connections with delays that break, people who come, go and
//! crash, and a service that lies until it stops ([`malice`]), watched by [`audit`].

// Each test program takes its part of this.
#![allow(dead_code)]

pub mod audit;
pub mod malice;
pub mod mallory;
pub mod network;
pub mod people;
pub mod play;
pub mod rng;
pub mod script;
pub mod service;
