//! Chance from a seed.
//!
//! What befalls a packet depends on the seed, the direction, the flow and the packet's number in
//! it, and on nothing else: neither on the time nor on the packets of other flows. So the same
//! packets meet the same fate in the next run, however the computer's load moves them about.
//! SplitMix64 is defined by its ten lines (Steele, Lea and Flood, "Fast Splittable Pseudorandom
//! Number Generators", 2014) and yields the same numbers in every version of every library.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use crate::direction::{Direction, Flow, Kind};

/// Keeps draws for packets and draws for bursts apart.
const PACKETS: u64 = 1;
const BURSTS: u64 = 2;

/// All chance of one direction.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    root: u64,
}

/// An endless row of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Draws(SplitMix64);

impl Dice {
    pub(crate) fn new(seed: u64, direction: Direction) -> Self {
        let direction = match direction {
            Direction::Up => 1,
            Direction::Down => 2,
        };
        Self {
            root: fold(seed, &[direction]),
        }
    }

    /// The draws of packet number `index` of `flow`.
    pub(crate) fn packet(&self, flow: Flow, index: u64) -> Draws {
        let kind = match flow.kind {
            Kind::Datagrams => 1,
            Kind::Stream => 2,
        };
        self.draws(&[PACKETS, kind, flow.number.into(), index])
    }

    /// The draws of the bursts that last for a time, counted by how often they were set anew.
    pub(crate) fn bursts(&self, generation: u64) -> Draws {
        self.draws(&[BURSTS, generation])
    }

    fn draws(&self, path: &[u64]) -> Draws {
        Draws(SplitMix64::seed_from_u64(fold(self.root, path)))
    }
}

fn fold(root: u64, path: &[u64]) -> u64 {
    path.iter().fold(root, |at, part| {
        let mixed = SplitMix64::seed_from_u64(at).next_u64();
        mixed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

impl Draws {
    /// From 0 to just under 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A waiting time with mean 1, exponentially distributed.
    pub(crate) fn wait(&mut self) -> f64 {
        -(1.0 - self.share()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change here means that every recorded figure of every bench is from another network.
    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let dice = Dice::new(7, Direction::Down);
        let mut draws = dice.packet(Flow::datagrams(3), 11);
        let first: Vec<u64> = (0..3).map(|_| (draws.share() * 1e9) as u64).collect();
        assert_eq!(first, [889_908_480, 961_634_275, 568_317_062]);
    }

    #[test]
    fn every_part_of_the_path_matters() {
        let draw = |seed, direction, flow, index| {
            (Dice::new(seed, direction).packet(flow, index).share() * 1e12) as u64
        };
        let one = draw(1, Direction::Up, Flow::datagrams(0), 0);
        let others = [
            draw(2, Direction::Up, Flow::datagrams(0), 0),
            draw(1, Direction::Down, Flow::datagrams(0), 0),
            draw(1, Direction::Up, Flow::stream(0), 0),
            draw(1, Direction::Up, Flow::datagrams(1), 0),
            draw(1, Direction::Up, Flow::datagrams(0), 1),
        ];
        assert!(others.iter().all(|other| *other != one), "{one} {others:?}");
    }

    #[test]
    fn neighbouring_packets_are_independent() {
        let dice = Dice::new(0, Direction::Up);
        let draw = |index| dice.packet(Flow::datagrams(0), index).share() - 0.5;
        let count = 20_000_u64;
        let products: f64 = (0..count).map(|index| draw(index) * draw(index + 1)).sum();
        // The product's standard deviation is 1/12; five of them for the mean.
        assert!((products / count as f64).abs() < 5.0 / 12.0 / (count as f64).sqrt());
        let mean = (0..count).map(draw).sum::<f64>() / count as f64;
        assert!(mean.abs() < 5.0 * 0.289 / (count as f64).sqrt(), "{mean}");
    }
}
