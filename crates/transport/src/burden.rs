//! How much a link bears beside sound, found out by who receives.
//!
//! A full link shows by a standing queue: for a while every packet comes later than the quickest
//! ones did (the least delay of a short time against the least of a long one, as in CoDel,
//! RFC 8289 §3.1). Jitter makes single packets late and seldom all of them: the more a link has of it, the
//! later they must come. Loss alone says nothing, since copies heal what chance takes, and a queue that
//! overflows stood before. One that fills fast is seen sooner: the packets of sound come ever later. Clocks
//! need not agree: only differences count.
//!
//! At the first sign the heavy tracks are given up, so that the queue drains and sound is heard in
//! time. A smaller one is tried as soon as the queue is gone, the whole one when the smaller one's frames
//! say that it fits ([`Width`]), or some time later; a try that fails makes the next one wait longer.
//!
//! A pure machine: times come in as arguments, counted from any moment.

use std::collections::VecDeque;
use std::time::Duration;

use crate::width::Width;

/// What a link bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Burden {
    /// Sound alone.
    Light,
    /// Sound, and heavy tracks at their smallest.
    Reduced,
    /// Everything.
    Full,
}

/// Over how long sound must come late, and by how much.
const SOUND: (Duration, Duration) = (Duration::from_millis(160), Duration::from_millis(60));
/// The same of heavy tracks: their large frames take their time.
const HEAVY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(150));
/// Where delays differ from packet to packet, all of a short time may come late by chance: so many times
/// the mean difference, over so many packets, more is allowed.
const JITTERS: i64 = 3;
const JITTER_OVER: i64 = 64;
const JITTER_AFTER: Duration = Duration::from_millis(500);
/// Fewer packets in that time say nothing.
const ENOUGH: usize = 3;
/// A queue fills when the last packets come later than ever by so much, those before them already by
/// so much, and later than those. Two and two, since a large frame holds up a packet or two of sound.
const FILLING: usize = 2;
const FILLED_US: i64 = 90_000;
const BEFORE_US: i64 = 50_000;
const RISE_US: i64 = 25_000;
/// The quickest packet is remembered for [`AGES`] times this.
const AGE: Duration = Duration::from_secs(10);
const AGES: usize = 6;
/// Who pauses for this long and sees no change is not the cause: the way has become longer.
const NEW_WAY: Duration = Duration::from_secs(5);
/// A raise that lasts so long has succeeded.
const PROVEN: Duration = Duration::from_secs(5);
/// How long the link must be clear before the smaller tracks come back, at first and at most.
const REDUCED_AFTER: [Duration; 2] = [Duration::from_millis(400), Duration::from_secs(16)];
/// What a failed try of the smaller tracks costs at the least.
const REDUCED_AGAIN: Duration = Duration::from_secs(4);
/// The same for everything, of which nothing is known.
const FULL_AFTER: [Duration; 2] = [Duration::from_secs(6), Duration::from_secs(60)];
/// At first, when the smaller tracks say that it fits, and that it does not.
const FITS_AFTER: Duration = Duration::from_secs(2);
const FITS_NOT_AFTER: Duration = Duration::from_secs(20);
/// Bytes a second of a voice, with all headers.
const VOICE: f64 = 16_000.0;
/// Bytes a second of everything else, as long as nobody has counted.
const EVERYTHING: f64 = 80_000.0;
/// So long they are counted at the least.
const COUNTED: Duration = Duration::from_secs(2);

/// Judges one sender's way to here.
#[derive(Debug)]
pub struct BurdenSense {
    sound: Delay,
    heavy: Delay,
    burden: Burden,
    changed: Duration,
    /// When a queue was last seen.
    queued: Duration,
    reduced_after: Duration,
    full_after: Duration,
    fits_after: Duration,
    width: Width,
    /// Since when bytes of heavy tracks were counted, and how many.
    counted: Option<(Duration, usize)>,
    /// Bytes a second of all of them.
    everything: f64,
}

impl Default for BurdenSense {
    fn default() -> Self {
        Self {
            sound: Delay::new(SOUND),
            heavy: Delay::new(HEAVY),
            burden: Burden::Full,
            changed: Duration::ZERO,
            queued: Duration::ZERO,
            reduced_after: REDUCED_AFTER[0],
            full_after: FULL_AFTER[0],
            fits_after: FITS_AFTER,
            width: Width::default(),
            counted: None,
            everything: EVERYTHING,
        }
    }
}

impl BurdenSense {
    /// A packet of sound came that was `sent` by its sender's clock.
    pub fn sound(&mut self, now: Duration, sent: Duration) {
        self.sound.take(now, sent);
    }

    /// A frame of a heavy track came, of so many bytes.
    pub fn heavy(&mut self, now: Duration, sent: Duration, bytes: usize) {
        self.heavy.take(now, sent);
        let delay_us = micros(now).saturating_sub(micros(sent));
        self.width.take(now, delay_us, bytes);
        let (_, counted) = self.counted.get_or_insert((now, 0));
        *counted = counted.saturating_add(bytes);
    }

    /// What the link bears now. Ask fifty times a second.
    pub fn look(&mut self, now: Duration) -> Burden {
        // There is less to give up, and a key frame of it alone is a short queue on a narrow link.
        let patience = if self.burden == Burden::Reduced { 2 } else { 1 };
        let stands = self.sound.stands(now, patience) | self.heavy.stands(now, 1);
        let fills = self.burden > Burden::Light && self.sound.fills();
        if stands || fills {
            self.queued = now;
            if self.burden > Burden::Light {
                self.give_up(now);
            } else if now.saturating_sub(self.changed) >= NEW_WAY {
                self.sound.forget();
                self.heavy.forget();
            }
        } else {
            self.try_more(now);
        }
        self.burden
    }

    fn give_up(&mut self, now: Duration) {
        let is_try = now.saturating_sub(self.changed) < PROVEN;
        match (self.burden, is_try) {
            (Burden::Full, true) => {
                self.full_after = (self.full_after * 2).min(FULL_AFTER[1]);
                self.fits_after = (self.fits_after * 2).min(FULL_AFTER[1]);
            }
            (Burden::Full, false) => {
                (self.full_after, self.fits_after) = (FULL_AFTER[0], FITS_AFTER);
            }
            _ => {}
        }
        // What stood for a while, or bore a try of more, was not the cause: somebody else on the same
        // link may be.
        self.reduced_after = match (self.burden, is_try) {
            (Burden::Reduced, true) => {
                let longer = (self.reduced_after * 2).max(REDUCED_AGAIN);
                longer.min(REDUCED_AFTER[1])
            }
            _ => REDUCED_AFTER[0],
        };
        self.set(now, Burden::Light);
        // What is still under way of a track that was given up says nothing of the next one.
        self.heavy.forget();
    }

    fn try_more(&mut self, now: Duration) {
        let clear = now.saturating_sub(self.changed.max(self.queued));
        match self.burden {
            Burden::Light if clear >= self.reduced_after => self.set(now, Burden::Reduced),
            Burden::Reduced if clear >= self.full_patience() => self.set(now, Burden::Full),
            _ => {}
        }
    }

    fn full_patience(&self) -> Duration {
        match self.width.bears(self.everything + VOICE) {
            Some(true) => self.fits_after,
            None => self.full_after,
            Some(false) => self.full_after.max(FITS_NOT_AFTER),
        }
    }

    fn set(&mut self, now: Duration, burden: Burden) {
        if let (Burden::Full, Some((since, bytes))) = (self.burden, self.counted.take()) {
            let lasted = now.saturating_sub(since);
            if lasted >= COUNTED {
                self.everything = bytes as f64 / lasted.as_secs_f64();
            }
        }
        self.width.forget();
        self.burden = burden;
        self.changed = now;
    }
}

/// The delay of one kind of packets, up to the unknown difference of two clocks.
#[derive(Debug)]
struct Delay {
    window: Duration,
    limit_us: i64,
    recent: VecDeque<(Duration, i64)>,
    /// The least of each age, with its beginning.
    least: VecDeque<(Duration, i64)>,
    jitter: Jitter,
}

impl Delay {
    fn new((window, limit): (Duration, Duration)) -> Self {
        Self {
            window,
            limit_us: micros(limit),
            recent: VecDeque::new(),
            least: VecDeque::new(),
            jitter: Jitter::default(),
        }
    }

    fn take(&mut self, now: Duration, sent: Duration) {
        let delay = micros(now).saturating_sub(micros(sent));
        if let Some((_, before)) = self.recent.back() {
            self.jitter.take(now, delay.saturating_sub(*before));
        }
        self.recent.push_back((now, delay));
        self.trim(now);
        match self.least.back_mut() {
            Some((since, least)) if now.saturating_sub(*since) < AGE => *least = delay.min(*least),
            _ => {
                self.least.push_back((now, delay));
                if self.least.len() > AGES {
                    self.least.pop_front();
                }
            }
        }
    }

    /// Bounded by time and, against a sender without measure, by number.
    fn trim(&mut self, now: Duration) {
        const MOST: usize = 256;
        while let Some((at, _)) = self.recent.front()
            && (now.saturating_sub(*at) > self.window || self.recent.len() > MOST)
        {
            self.recent.pop_front();
        }
    }

    /// Whether all that came lately came late, by so many times the limit.
    fn stands(&mut self, now: Duration, times: i64) -> bool {
        self.trim(now);
        if self.recent.len() < ENOUGH {
            return false;
        }
        let lately = self.recent.iter().map(|(_, delay)| *delay).min();
        let limit_us = self.limit_us.saturating_mul(times);
        matches!((lately, self.usual()), (Some(lately), Some(usual))
            if lately.saturating_sub(usual) >= limit_us)
    }

    /// The delay without a queue: the least of long, and what jitter may add to it.
    fn usual(&self) -> Option<i64> {
        let least = self.least.iter().map(|(_, delay)| *delay).min()?;
        Some(least.saturating_add(self.jitter.allowance_us()))
    }

    /// Whether the last packets came later than those before, which came late.
    fn fills(&self) -> bool {
        if self.recent.len() < 2 * FILLING {
            return false;
        }
        let mut newest = self.recent.iter().rev().map(|(_, delay)| *delay);
        let mut least = || newest.by_ref().take(FILLING).min();
        let (last, before) = (least(), least());
        let (Some(last), Some(before), Some(usual)) = (last, before, self.usual()) else {
            return false;
        };
        last.saturating_sub(usual) >= FILLED_US
            && before.saturating_sub(usual) >= BEFORE_US
            && last.saturating_sub(before) >= RISE_US
    }

    fn forget(&mut self) {
        self.recent.clear();
        self.least.clear();
        self.jitter = Jitter::default();
    }
}

/// How much one delay differs from the next (RFC 3550 §6.4.1), as it was before whatever happens now:
/// a queue that fills must not excuse itself.
#[derive(Debug, Default)]
struct Jitter {
    recent: VecDeque<(Duration, i64)>,
    taken: i64,
    mean_us: i64,
}

impl Jitter {
    fn take(&mut self, now: Duration, difference_us: i64) {
        const MOST: usize = 256;
        self.recent.push_back((now, difference_us.saturating_abs()));
        while let Some((at, difference_us)) = self.recent.front()
            && (now.saturating_sub(*at) > JITTER_AFTER || self.recent.len() > MOST)
        {
            self.taken = (self.taken + 1).min(JITTER_OVER);
            self.mean_us += (difference_us - self.mean_us) / self.taken;
            self.recent.pop_front();
        }
    }

    fn allowance_us(&self) -> i64 {
        self.mean_us.saturating_mul(JITTERS)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use conclave_impair::{Direction, Flow, Link, Plan, Schedule, Settings};

    use super::*;

    const STEP: Duration = Duration::from_millis(1);
    /// By the sender's clock everything was sent ten years ago.
    const SKEW: Duration = Duration::from_secs(300_000_000);

    #[derive(Clone, Copy, PartialEq)]
    enum Item {
        Sound,
        Heavy(usize),
    }

    /// A voice and its picture as the client sends them, with all headers, over a link of the
    /// proxy, judged as they come; gives for each 20 ms the burden and the delay of the latest
    /// sound, ms.
    fn run(seconds: u64, first: &str, then: &[(u64, &str)]) -> Vec<(Burden, u64)> {
        let mut link = link(first, then);
        let mut way = Way::default();
        for ms in 0..seconds * 1000 {
            way.send(ms, 0, &mut link);
            while let Some(arrival) = link.pop(STEP * ms as u32) {
                way.take(STEP * ms as u32, arrival.item);
            }
            way.look(ms);
        }
        way.seen
    }

    /// The same of several who share the link, the first of whom begins at 0 ms, the next one a
    /// second later, and so on.
    fn run_together(ways: usize, seconds: u64, link_is: &str) -> Vec<Vec<(Burden, u64)>> {
        let mut link = link(link_is, &[]);
        let mut all: Vec<Way> = (0..ways).map(|_| Way::default()).collect();
        for ms in 0..seconds * 1000 {
            let here = (ms / 1000 + 1).min(ways as u64) as usize;
            for (number, way) in all.iter_mut().enumerate().take(here) {
                way.send(ms, number, &mut link);
            }
            while let Some(arrival) = link.pop(STEP * ms as u32) {
                all[arrival.item.2].take(STEP * ms as u32, arrival.item);
            }
            for way in all.iter_mut().take(here) {
                way.look(ms);
            }
        }
        all.into_iter().map(|way| way.seen).collect()
    }

    /// When it was sent, what it is, and by which way.
    type Sent = (Duration, Item, usize);

    /// One sender's way to one receiver.
    #[derive(Default)]
    struct Way {
        sense: BurdenSense,
        seen: Vec<(Burden, u64)>,
        late: u64,
        begins: bool,
    }

    impl Way {
        fn send(&mut self, ms: u64, number: usize, link: &mut Link<Sent>) {
            let now = STEP * ms as u32;
            // Everybody's own moments.
            let ms = ms + 7 * number as u64;
            let mut send = |item, size| {
                link.offer(
                    now,
                    Flow::datagrams(number as u32),
                    size,
                    (now, item, number),
                );
            };
            if ms.is_multiple_of(20) {
                // 120 kbit/s.
                send(Item::Sound, 300);
            }
            // 90 and 650 kbit/s, and a key frame to begin with.
            let begins = std::mem::take(&mut self.begins);
            let frames = match self.sense.burden {
                Burden::Reduced if begins => vec![1340; 3],
                Burden::Full if begins => vec![1340; 18],
                Burden::Reduced if ms.is_multiple_of(66) => vec![500 + ms * 7919 % 500],
                Burden::Full if ms.is_multiple_of(33) => vec![1340; 2],
                _ => Vec::new(),
            };
            for size in frames {
                send(Item::Heavy(size as usize), size);
            }
        }

        fn take(&mut self, now: Duration, (sent, item, _): Sent) {
            match item {
                Item::Sound => {
                    self.late = (now - sent).as_millis() as u64;
                    self.sense.sound(now + SKEW, sent);
                }
                Item::Heavy(bytes) => self.sense.heavy(now + SKEW, sent, bytes),
            }
        }

        fn look(&mut self, ms: u64) {
            if ms % 20 == 19 {
                let before = self.sense.burden;
                let burden = self.sense.look(STEP * ms as u32 + SKEW);
                self.begins = burden != before;
                self.seen.push((burden, self.late));
            }
        }
    }

    fn link(first: &str, then: &[(u64, &str)]) -> Link<Sent> {
        let first: Settings = first.parse().expect("settings");
        let mut latest = first.clone();
        let mut change = |(at, text): &(u64, &str)| {
            latest = latest.with(text).expect("settings");
            (Duration::from_secs(*at), latest.clone())
        };
        let then = then.iter().map(&mut change).collect();
        let plan = Plan {
            seed: 4,
            down: Schedule { first, then },
            ..Plan::default()
        };
        let mut link = Link::new(&plan, Direction::Down);
        link.begin(Duration::ZERO);
        link
    }

    fn share(seen: &[(Burden, u64)], burden: Burden) -> f64 {
        seen.iter().filter(|(now, _)| *now == burden).count() as f64 / seen.len() as f64
    }

    #[test]
    fn a_clear_link_bears_everything_whatever_chance_does_to_it() {
        for link in [
            "delay=25ms",
            "delay=25ms,loss=30%",
            "delay=45ms,jitter=40ms",
            "delay=25ms,burst-every=2s/400ms",
            "delay=25ms,rate=1Mbit/s",
            "delay=55ms,jitter=50ms",
            "delay=45ms,jitter=40ms,loss=10%",
        ] {
            let seen = run(60, link, &[]);
            assert_eq!(share(&seen, Burden::Full), 1.0, "{link}");
        }
    }

    #[test]
    fn a_link_that_jitters_wildly_bears_everything_for_most_of_the_time() {
        let seen = run(120, "delay=85ms,jitter=80ms", &[]);
        let full = share(&seen, Burden::Full);
        assert!(full > 0.9, "{full}");
    }

    /// Seconds in steps of `run`.
    const S: usize = 50;

    /// The shares of the cut in which pictures moved and in which sound was late.
    fn cut_to(rate: &str, queue: &str) -> (f64, f64) {
        let wide = format!("delay=25ms,rate=3Mbit/s,queue={queue}");
        let seen = run(70, &wide, &[(10, rate), (30, "rate=3Mbit/s")]);
        assert_eq!(share(&seen[..10 * S], Burden::Full), 1.0);
        let (cut, after) = (&seen[10 * S..30 * S], &seen[30 * S..]);
        let noticed = cut.iter().position(|(now, _)| *now < Burden::Full);
        assert!(noticed <= Some(S / 3), "{queue}: {noticed:?}");
        assert_eq!(share(&after[30 * S..], Burden::Full), 1.0, "{queue}");
        let late = cut.iter().filter(|(_, late)| *late > 250).count();
        (
            1.0 - share(cut, Burden::Light),
            late as f64 / cut.len() as f64,
        )
    }

    #[test]
    fn a_link_that_is_cut_keeps_small_pictures_if_it_bears_them() {
        for queue in ["64KB", "50pkt"] {
            let (moves, late) = cut_to("rate=500kbit/s", queue);
            assert!(moves > 0.8 && late < 0.05, "{queue}: {moves} {late}");
        }
    }

    #[test]
    fn a_link_that_bears_no_picture_keeps_sound_in_time() {
        for queue in ["64KB", "50pkt"] {
            let (moves, late) = cut_to("rate=200kbit/s", queue);
            assert!(moves < 0.35 && late < 0.15, "{queue}: {moves} {late}");
        }
    }

    #[test]
    fn what_fits_not_is_not_tried_and_what_fits_is_tried_soon() {
        for rate in ["300kbit/s", "500kbit/s"] {
            let cut = format!("rate={rate}");
            let link = "delay=25ms,rate=3Mbit/s,queue=64KB";
            let seen = run(70, link, &[(10, &cut), (30, "rate=3Mbit/s")]);
            let small = 11 * S..30 * S;
            assert_eq!(share(&seen[small], Burden::Full), 0.0, "{rate}");
            let back = seen[30 * S..]
                .iter()
                .position(|(now, _)| *now == Burden::Full);
            assert!(back <= Some(8 * S), "{rate}: {back:?}");
        }
    }

    #[test]
    fn a_longer_way_is_no_full_link() {
        let seen = run(60, "delay=25ms", &[(10, "delay=225ms")]);
        assert_eq!(share(&seen[30 * S..], Burden::Full), 1.0);
        assert!(share(&seen[10 * S..30 * S], Burden::Light) > 0.0);
    }

    /// Everybody's picture in full is too much for the link, everybody's small one is not, and whoever
    /// tries more disturbs all.
    #[test]
    fn nobody_behind_one_link_is_kept_from_small_pictures_by_the_tries_of_others() {
        for rate in ["1Mbit/s", "1500kbit/s", "2Mbit/s"] {
            let link = format!("delay=25ms,rate={rate},queue=64KB");
            for seen in run_together(3, 120, &link) {
                let light = share(&seen[15 * S..], Burden::Light);
                assert!(light < 0.1, "{rate}: {light}");
            }
        }
    }
}
