//! A few meetings' worth of people around one delivery service, in virtual time.
//!
//! Everything runs in one thread; the machines and their cryptography are the real ones, the
//! service is a small one that follows the rules of `conclave-wire` and can be told to break them.

pub mod people;
pub mod service;
