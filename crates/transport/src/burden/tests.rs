//! Links of the proxy in virtual time, with the traffic that the client makes.

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
    run_together(1, seconds, link(first, then), Ends::Apart).remove(0)
}

/// Whether several ways over one link end at one computer.
#[derive(Debug, Clone, Copy)]
enum Ends {
    Together,
    Apart,
}

/// The same of several who share the link, the first of whom begins at 0 ms, the next one a
/// second later, and so on.
fn run_together(
    ways: usize,
    seconds: u64,
    mut link: Link<Sent>,
    ends: Ends,
) -> Vec<Vec<(Burden, u64)>> {
    let mut all: Vec<Way> = (0..ways as u64).map(Way::new).collect();
    let mut turns_of: Vec<Turns> = (0..ways).map(|_| Turns::default()).collect();
    for ms in 0..seconds * 1000 {
        let now = STEP * ms as u32;
        let here = (ms / 1000 + 1).min(ways as u64) as usize;
        for (number, way) in all.iter_mut().enumerate().take(here) {
            way.send(ms, number, &mut link);
        }
        while let Some(arrival) = link.pop(now) {
            all[arrival.item.2].take(now, arrival.item);
        }
        for (number, way) in all.iter_mut().enumerate().take(here) {
            let turns = match ends {
                Ends::Together => 0,
                Ends::Apart => number,
            };
            way.look(ms, &mut turns_of[turns]);
        }
    }
    all.into_iter().map(|way| way.seen).collect()
}

/// When it was sent, what it is, and by which way.
type Sent = (Duration, Item, usize);

/// One sender's way to one receiver.
struct Way {
    sense: BurdenSense,
    seen: Vec<(Burden, u64)>,
    late: u64,
    begins: bool,
}

impl Way {
    fn new(number: u64) -> Self {
        Self {
            sense: BurdenSense::new(number),
            seen: Vec::new(),
            late: 0,
            begins: false,
        }
    }

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

    fn look(&mut self, ms: u64, turns: &mut Turns) {
        if ms % 20 == 19 {
            let before = self.sense.burden;
            let now = STEP * ms as u32 + SKEW;
            let burden = self.sense.look(now, Some(0), turns);
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
    let links = [
        (3, "1Mbit/s"),
        (3, "1500kbit/s"),
        (3, "2Mbit/s"),
        (9, "3Mbit/s"),
    ];
    for (ways, rate) in links {
        let shared = format!("delay=25ms,rate={rate},queue=64KB");
        for ends in [Ends::Together, Ends::Apart] {
            for seen in run_together(ways, 120, link(&shared, &[]), ends) {
                let light = share(&seen[15 * S..], Burden::Light);
                assert!(light < 0.12, "{ways} over {rate} {ends:?}: {light}");
            }
        }
    }
}

/// Its first tries fail; later others fill the link for half a second of every ten.
#[test]
fn who_failed_at_first_comes_back_though_others_fill_the_link_now_and_then() {
    let mut way = Way::new(1);
    let mut turns = Turns::default();
    let mut tried = 1000;
    for ms in 0..90_000 {
        let fills = match ms < 30_000 {
            true => (tried..tried + 800).contains(&ms),
            false => ms % 10_000 < 500,
        };
        let (now, late) = (STEP * ms as u32, if fills { 225 } else { 25 });
        if ms % 20 == 0 {
            way.take(now, (now - (STEP * late).min(now), Item::Sound, 1));
        }
        way.look(ms, &mut turns);
        if std::mem::take(&mut way.begins) && way.sense.burden > Burden::Light {
            tried = ms;
        }
    }
    assert!(share(&way.seen[10 * S..30 * S], Burden::Light) > 0.8);
    assert!(share(&way.seen[60 * S..], Burden::Light) < 0.2);
}

/// Two of three whole pictures fit beside the small one, and not three.
#[test]
fn what_fits_beside_the_others_is_found() {
    for ends in [Ends::Together, Ends::Apart] {
        let shared = "delay=25ms,rate=2500kbit/s,queue=64KB";
        let all = run_together(3, 180, link(shared, &[]), ends);
        let full = all.iter().map(|seen| share(&seen[30 * S..], Burden::Full));
        let full: f64 = full.sum();
        assert!(full > 0.8, "{ends:?}: {full}");
    }
}
