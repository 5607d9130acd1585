//! One direction of a network over a virtual clock.

use std::time::Duration;

use conclave_impair::{Arrival, Cause, Direction, Flow, Link, Offer, Plan, Schedule, Settings};

const FLOW: Flow = Flow {
    kind: conclave_impair::Kind::Datagrams,
    number: 0,
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn plan(text: &str) -> Plan {
    let first: Settings = text.parse().expect("settings");
    let down = Schedule {
        first,
        then: Vec::new(),
    };
    Plan {
        seed: 7,
        down,
        ..Plan::default()
    }
}

fn changing(first: &str, then: &[(u64, &str)]) -> Plan {
    let mut plan = plan(first);
    let mut settings = plan.down.first.clone();
    for (at, text) in then {
        settings = settings.with(text).expect("settings");
        plan.down.then.push((ms(*at), settings.clone()));
    }
    plan
}

fn link(plan: &Plan) -> Link<u64> {
    let mut link = Link::new(plan, Direction::Down);
    link.begin(Duration::ZERO);
    link
}

fn rest(link: &mut Link<u64>) -> Vec<Arrival<u64>> {
    let mut arrivals = Vec::new();
    while let Some(next) = link.next() {
        arrivals.extend(std::iter::from_fn(|| link.pop(next)));
    }
    arrivals
}

/// Offers `count` packets of `size` bytes, one each `every`; gives the causes of what was dropped
/// and all arrivals.
fn pass(
    plan: &Plan,
    count: u64,
    every: Duration,
    size: u64,
) -> (Vec<Option<Cause>>, Vec<Arrival<u64>>) {
    let mut link = link(plan);
    let offer = |link: &mut Link<u64>, n: u64| match link.offer(every * n as u32, FLOW, size, n) {
        Offer::Dropped(cause) => Some(cause),
        Offer::Taken => None,
        Offer::Full(_) => panic!("a datagram is never refused"),
    };
    let causes: Vec<_> = (0..count).map(|n| offer(&mut link, n)).collect();
    let arrivals = rest(&mut link);
    let stats = link.stats();
    assert_eq!(
        stats.packets_in + stats.duplicated,
        stats.packets_out + stats.dropped.total(),
        "nothing vanishes: {stats:?}"
    );
    (causes, arrivals)
}

fn numbers(arrivals: &[Arrival<u64>]) -> Vec<u64> {
    arrivals.iter().map(|arrival| arrival.item).collect()
}

#[test]
fn without_settings_everything_arrives_at_once_and_in_order() {
    let (_, arrivals) = pass(&plan(""), 1000, ms(1), 1200);
    assert_eq!(numbers(&arrivals), (0..1000).collect::<Vec<_>>());
    assert!(
        arrivals
            .iter()
            .all(|arrival| arrival.at == ms(arrival.item))
    );
}

#[test]
fn the_delay_is_exact() {
    let (_, arrivals) = pass(&plan("delay=25ms"), 100, ms(3), 1200);
    assert_eq!(arrivals.len(), 100);
    assert!(
        arrivals
            .iter()
            .all(|arrival| arrival.at == ms(3 * arrival.item + 25))
    );
}

#[test]
fn random_loss_is_as_frequent_as_asked() {
    let count = 50_000;
    for percent in [1, 5, 10, 20, 30] {
        let (causes, _) = pass(&plan(&format!("loss={percent}%")), count, ms(1), 1200);
        let lost = causes
            .iter()
            .filter(|cause| **cause == Some(Cause::Loss))
            .count() as f64;
        let p = f64::from(percent) / 100.0;
        let n = count as f64;
        let bound = 4.0 * (n * p * (1.0 - p)).sqrt();
        assert!(
            (lost - n * p).abs() < bound,
            "{percent} %: {lost} of {count}"
        );
    }
}

#[test]
fn bursts_in_packets_have_their_share_and_length() {
    let (causes, _) = pass(&plan("burst=5%/4pkt"), 200_000, ms(1), 1200);
    let lost: Vec<bool> = causes
        .iter()
        .map(|cause| *cause == Some(Cause::Burst))
        .collect();
    let all = lost.iter().filter(|lost| **lost).count() as f64;
    let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
    assert!((all / 200_000.0 - 0.05).abs() < 0.005, "{all}");
    assert!((all / bursts - 4.0).abs() < 0.3, "{}", all / bursts);
}

#[test]
fn bursts_in_time_have_their_share_and_length() {
    let (causes, _) = pass(&plan("burst=5%/100ms"), 1_000_000, ms(1), 1200);
    let lost: Vec<bool> = causes.iter().map(Option::is_some).collect();
    let all = lost.iter().filter(|lost| **lost).count() as f64;
    let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
    assert!((all / 1e6 - 0.05).abs() < 0.01, "{all}");
    assert!((all / bursts - 100.0).abs() < 20.0, "{}", all / bursts);
}

#[test]
fn fixed_bursts_come_when_they_are_due() {
    let (causes, _) = pass(&plan("burst-every=2s/100ms"), 1000, ms(10), 1200);
    for (n, cause) in causes.iter().enumerate() {
        let hit = n * 10 % 2000 >= 1900;
        assert_eq!(*cause, hit.then_some(Cause::Burst), "at {} ms", n * 10);
    }
}

#[test]
fn jitter_keeps_the_order_and_its_bounds() {
    let (_, arrivals) = pass(&plan("delay=50ms,jitter=40ms"), 5000, ms(20), 1200);
    assert_eq!(numbers(&arrivals), (0..5000).collect::<Vec<_>>());
    let delays = || {
        arrivals
            .iter()
            .map(|arrival| arrival.at - ms(20 * arrival.item))
    };
    assert!(delays().all(|delay| (ms(10)..=ms(90)).contains(&delay)));
    assert!(delays().min() < Some(ms(13)) && delays().max() > Some(ms(87)));
}

#[test]
fn jitter_reorders_when_asked() {
    let (_, arrivals) = pass(
        &plan("delay=50ms,jitter=40ms,reorder=on"),
        5000,
        ms(20),
        1200,
    );
    let numbers = numbers(&arrivals);
    assert_eq!(numbers.len(), 5000);
    assert!(!numbers.is_sorted());
    let mean = arrivals
        .iter()
        .map(|arrival| (arrival.at - ms(20 * arrival.item)).as_secs_f64());
    let mean = mean.sum::<f64>() / 5000.0;
    assert!((mean - 0.05).abs() < 0.002, "{mean}");
}

#[test]
fn datagrams_are_doubled() {
    let (_, arrivals) = pass(&plan("duplicate=10%"), 20_000, ms(1), 1200);
    let twins = arrivals.len() as f64 - 20_000.0;
    assert!((twins - 2000.0).abs() < 4.0 * 43.0, "{twins}");
}

#[test]
fn a_rate_spaces_packets() {
    // 1000 bytes at 1 Mbit/s take 8 ms.
    let (_, arrivals) = pass(&plan("rate=1Mbit/s,delay=5ms"), 10, Duration::ZERO, 1000);
    let times: Vec<_> = arrivals.iter().map(|arrival| arrival.at).collect();
    assert_eq!(times, (1..=10).map(|n| ms(8 * n + 5)).collect::<Vec<_>>());
}

#[test]
fn a_queue_of_bytes_holds_no_more_than_that() {
    let plan = plan("rate=1Mbit/s,queue=5KB");
    let (causes, arrivals) = pass(&plan, 10, Duration::ZERO, 1000);
    assert_eq!(numbers(&arrivals), [0, 1, 2, 3, 4]);
    assert!(causes[5..].iter().all(|cause| *cause == Some(Cause::Queue)));
    // Small ones still find room where a large one does not.
    let mut link = link(&plan);
    for n in 0..4 {
        assert_eq!(link.offer(ms(0), FLOW, 1000, n), Offer::Taken);
    }
    assert_eq!(
        link.offer(ms(0), FLOW, 1001, 4),
        Offer::Dropped(Cause::Queue)
    );
    assert_eq!(link.offer(ms(0), FLOW, 1000, 5), Offer::Taken);
    // One has left after 8 ms.
    assert_eq!(
        link.offer(ms(7), FLOW, 1000, 6),
        Offer::Dropped(Cause::Queue)
    );
    assert_eq!(link.offer(ms(8), FLOW, 1000, 7), Offer::Taken);
}

#[test]
fn a_queue_of_packets_counts_packets() {
    let plan = plan("rate=1Mbit/s,queue=3pkt");
    for size in [100, 10_000] {
        let (_, arrivals) = pass(&plan, 10, Duration::ZERO, size);
        assert_eq!(numbers(&arrivals), [0, 1, 2], "{size}");
    }
}

#[test]
fn a_change_of_the_rate_holds_for_what_waits() {
    // 1000 bytes: 80 ms at 100 kbit/s, 8 ms at 1 Mbit/s. At 40 ms half of the first is sent.
    let plan = changing("rate=100kbit/s", &[(40, "rate=1Mbit/s"), (52, "rate=off")]);
    let (_, arrivals) = pass(&plan, 4, Duration::ZERO, 1000);
    let times: Vec<_> = arrivals.iter().map(|arrival| arrival.at).collect();
    assert_eq!(times, [ms(44), ms(52), ms(52), ms(52)]);
}

#[test]
fn in_an_outage_nothing_passes() {
    let plan = changing("delay=5ms", &[(100, "outage=on"), (200, "outage=off")]);
    let (causes, arrivals) = pass(&plan, 30, ms(10), 1200);
    for (n, cause) in causes.iter().enumerate() {
        let out = (10..20).contains(&n);
        assert_eq!(*cause, out.then_some(Cause::Outage), "packet {n}");
    }
    assert_eq!(arrivals.len(), 20);
}

#[test]
fn what_waits_when_an_outage_begins_is_lost() {
    // Each takes 80 ms.
    let plan = changing("rate=100kbit/s", &[(100, "outage=on")]);
    let (_, arrivals) = pass(&plan, 4, Duration::ZERO, 1000);
    assert_eq!(numbers(&arrivals), [0]);
}

#[test]
fn without_udp_streams_pass_and_datagrams_do_not() {
    let mut link = link(&plan("udp=off"));
    assert_eq!(
        link.offer(ms(0), FLOW, 100, 0),
        Offer::Dropped(Cause::Blocked)
    );
    assert_eq!(link.offer(ms(0), Flow::stream(0), 100, 1), Offer::Taken);
    assert_eq!(numbers(&rest(&mut link)), [1]);
}

#[test]
fn the_plan_counts_from_its_start_and_an_order_from_now() {
    let plan = changing("delay=1ms", &[(100, "delay=2ms")]);
    let mut link: Link<u64> = Link::new(&plan, Direction::Down);
    assert_eq!(link.next(), None, "nothing is due before the start");
    link.begin(ms(1000));
    link.begin(ms(5000));
    assert_eq!(link.next(), Some(ms(1100)));
    link.set(ms(1050), "delay=9ms".parse().expect("settings"));
    link.offer(ms(1060), FLOW, 100, 0);
    assert_eq!(link.next(), Some(ms(1069)));
    link.offer(ms(1100), FLOW, 100, 1);
    assert_eq!(rest(&mut link).last().map(|last| last.at), Some(ms(1102)));
}

#[test]
fn the_other_direction_has_a_fate_of_its_own() {
    let mut plan = plan("loss=50%");
    plan.up = plan.down.clone();
    let fate = |direction| {
        let mut link: Link<u64> = Link::new(&plan, direction);
        let fate: Vec<_> = (0..100).map(|n| link.offer(ms(n), FLOW, 100, n)).collect();
        fate
    };
    assert_ne!(fate(Direction::Up), fate(Direction::Down));
}

#[test]
fn a_packets_fate_hangs_on_nothing_but_seed_flow_and_number() {
    let text = "loss=10%,burst=5%/3pkt,delay=20ms,jitter=10ms,duplicate=5%";
    let (calm, _) = pass(&plan(text), 2000, ms(20), 1200);
    let (hurried, _) = pass(&plan(text), 2000, ms(1), 300);
    assert_eq!(calm, hurried);

    // Nor on other flows between.
    let mut link = link(&plan(text));
    let mut among_others = Vec::new();
    for n in 0..2000 {
        for other in 1..4 {
            link.offer(ms(n), Flow::datagrams(other), 1200, n);
        }
        link.offer(ms(n), Flow::stream(0), 1200, n);
        among_others.push(match link.offer(ms(n), FLOW, 1200, n) {
            Offer::Dropped(cause) => Some(cause),
            _ => None,
        });
    }
    assert_eq!(calm, among_others);

    let other = Plan {
        seed: 8,
        ..plan(text)
    };
    assert_ne!(calm, pass(&other, 2000, ms(20), 1200).0);
}

#[test]
fn more_loss_drops_the_same_packets_and_more() {
    let (some, _) = pass(&plan("loss=5%"), 2000, ms(1), 100);
    let (more, _) = pass(&plan("loss=10%"), 2000, ms(1), 100);
    assert!(
        some.iter()
            .zip(&more)
            .all(|(some, more)| some.is_none() || more.is_some())
    );
}

#[test]
fn a_stream_loses_nothing_and_keeps_its_order() {
    let text = "loss=20%,delay=25ms,jitter=20ms,reorder=on,duplicate=50%";
    let mut link = link(&plan(text));
    for n in 0..1000 {
        assert_eq!(link.offer(ms(n), Flow::stream(0), 1488, n), Offer::Taken);
    }
    let arrivals = rest(&mut link);
    assert_eq!(numbers(&arrivals), (0..1000).collect::<Vec<_>>());
    let stats = link.stats();
    assert!((150..250).contains(&stats.retransmitted), "{stats:?}");
    let slow = arrivals
        .iter()
        .filter(|arrival| arrival.at - ms(arrival.item) >= ms(55));
    assert!(slow.count() > 150, "a loss costs time");
}

#[test]
fn a_stream_waits_for_room_and_leaves_some_to_datagrams() {
    let mut link = link(&plan("rate=1Mbit/s,queue=4KB"));
    let stream = Flow::stream(0);
    for n in 0..3 {
        assert_eq!(link.offer(ms(0), stream, 1000, n), Offer::Taken);
    }
    assert_eq!(link.offer(ms(0), stream, 1000, 3), Offer::Full(3));
    let changes = link.changes();
    assert_eq!(link.offer(ms(0), FLOW, 1000, 9), Offer::Taken);
    assert_eq!(link.offer(ms(15), stream, 1000, 3), Offer::Full(3));
    assert!(link.changes() > changes, "word of room");
    assert_eq!(link.offer(ms(16), stream, 1000, 3), Offer::Taken);
    assert_eq!(numbers(&rest(&mut link)), [0, 1, 2, 9, 3]);
    assert_eq!(
        link.stats().packets_in,
        5,
        "a refused piece has not come in"
    );
}

#[test]
fn a_stream_stands_still_in_an_outage_and_goes_on_after_it() {
    let plan = changing(
        "rate=100kbit/s,delay=5ms",
        &[(100, "outage=on"), (300, "outage=off")],
    );
    let mut link = link(&plan);
    let stream = Flow::stream(0);
    for n in 0..2 {
        assert_eq!(link.offer(ms(0), stream, 1000, n), Offer::Taken);
    }
    assert_eq!(link.offer(ms(150), stream, 1000, 2), Offer::Full(2));
    assert_eq!(link.offer(ms(300), stream, 1000, 2), Offer::Taken);
    let times: Vec<_> = rest(&mut link).iter().map(|arrival| arrival.at).collect();
    // The second left the queue at 160 ms, into the outage.
    assert_eq!(times, [ms(85), ms(305), ms(385)]);
}

#[test]
fn the_time_in_the_queue_is_known() {
    let mut link = link(&plan("rate=1Mbit/s"));
    for n in 0..3 {
        link.offer(ms(0), FLOW, 1000, n);
    }
    assert_eq!(link.queued(), 3);
    rest(&mut link);
    let stats = link.stats();
    assert!((stats.queue_ms_mean - 16.0).abs() < 0.01, "{stats:?}");
    assert!((stats.queue_ms_max - 24.0).abs() < 0.01, "{stats:?}");
}
