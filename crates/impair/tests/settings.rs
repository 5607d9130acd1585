//! What people write: understood as meant, or refused with what to write instead.

use std::time::Duration;

use conclave_impair::{
    Burst, BurstEvery, BurstLength, Plan, PlanText, Queue, Settings, SettingsError,
};

fn refused(text: &str) -> String {
    match text.parse::<Settings>() {
        Ok(settings) => panic!("{text} was taken as {settings:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_setting_is_read() {
    let all = "loss=5%,burst=2%/4pkt,burst-every=2s/100ms,delay=25ms,jitter=10ms,reorder=on,\
               duplicate=1%,rate=300kbit/s,queue=32KB,outage=on,udp=off";
    let expected = Settings {
        loss: 0.05,
        burst: Some(Burst {
            share: 0.02,
            length: BurstLength::Packets(4.0),
        }),
        burst_every: Some(BurstEvery {
            every: Duration::from_secs(2),
            length: Duration::from_millis(100),
        }),
        delay: Duration::from_millis(25),
        jitter: Duration::from_millis(10),
        reorder: true,
        duplicate: 0.01,
        rate_bps: Some(300_000),
        queue: Queue::Bytes(32_000),
        outage: true,
        udp: false,
    };
    assert_eq!(all.parse(), Ok(expected));
    assert_eq!("".parse(), Ok(Settings::default()));
}

#[test]
fn a_change_leaves_the_rest_as_it_was() {
    let before: Settings = "loss=5%,delay=25ms".parse().expect("settings");
    let after = before.with("rate=1Mbit/s, loss=0%").expect("a change");
    assert_eq!(after.delay, Duration::from_millis(25));
    assert_eq!((after.loss, after.rate_bps), (0.0, Some(1_000_000)));
    assert_eq!(after.with("rate=off").expect("a change").rate_bps, None);
}

#[test]
fn what_makes_no_sense_is_named_with_what_to_write() {
    for (text, words) in [
        ("los=5%", ["'los'", "write loss"]),
        ("loss=5", ["loss=5", "5%"]),
        ("loss=120%", ["loss=120%", "0% to 100%"]),
        ("delay", ["'delay'", "delay=25ms"]),
        ("delay=25", ["delay=25", "25ms"]),
        ("loss=1%,loss=2%", ["loss", "twice"]),
        ("jitter=40ms", ["40ms", "delay=40ms"]),
        ("delay=5ms,reorder=on", ["reorder", "jitter=10ms"]),
        ("queue=32KB", ["queue", "rate=1Mbit/s"]),
        ("rate=0bit/s", ["rate=0bit/s", "300kbit/s"]),
        ("burst=60%/1pkt", ["60 %", "longer bursts"]),
        ("burst=100%/5pkt", ["everything", "outage=on"]),
        ("burst=5%", ["burst=5%", "5%/100ms"]),
        ("burst=5%/1us", ["1µs", "1ms"]),
        ("burst-every=1s/1s", ["burst-every", "outage=on"]),
        ("outage=yes", ["outage=yes", "on or off"]),
    ] {
        let error = refused(text);
        for word in words {
            assert!(error.contains(word), "{text}: no {word:?} in: {error}");
        }
    }
}

#[test]
fn settings_made_by_hand_are_held_to_the_same() {
    let bad = Settings {
        loss: f64::NAN,
        ..Settings::default()
    };
    assert_eq!(bad.check(), Err(SettingsError::NoShare("loss")));
    let mut plan = Plan::default();
    plan.down.then.push((Duration::ZERO, bad));
    assert!(plan.check().is_err());
}

#[test]
fn a_file_and_flags_make_one_plan() {
    let file = r#"{"seed": 7, "start": "process", "both": ["delay=25ms"], "down": ["loss=5%"],
                   "down_at": ["20s rate=off", "10s rate=300kbit/s,queue=32KB"], "rebind_at": ["5s"]}"#;
    let flags = PlanText {
        seed: Some(8),
        up_at: vec!["3s outage=on".to_owned()],
        ..PlanText::default()
    };
    let plan = PlanText::from_json(file).expect("JSON").and(flags);
    let plan = plan.read().expect("a plan");
    assert_eq!(plan.seed, 8);
    assert_eq!(plan.rebind_at, [Duration::from_secs(5)]);
    assert_eq!(plan.up.first.delay, plan.down.first.delay);
    let times: Vec<_> = plan.down.then.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [10, 20], "in the order of time, not of writing");
    let (_, cut) = &plan.down.then[0];
    assert_eq!((cut.loss, cut.rate_bps), (0.05, Some(300_000)));
    assert_eq!(plan.down.then[1].1.rate_bps, None);
    assert!(plan.up.then[0].1.outage);
}

#[test]
fn a_plan_that_makes_no_sense_says_where() {
    let wrong = |text: PlanText| text.read().expect_err("refused").to_string();
    let one = |text: &str| vec![text.to_owned()];
    let error = wrong(PlanText {
        down_at: one("10s los=1%"),
        ..PlanText::default()
    });
    assert!(
        error.starts_with("down-at: ") && error.contains("'los'"),
        "{error}"
    );
    let error = wrong(PlanText {
        up_at: one("loss=1%"),
        ..PlanText::default()
    });
    assert!(error.contains("'10s loss=5%'"), "{error}");
    let error = wrong(PlanText {
        cut_at: one("soon"),
        ..PlanText::default()
    });
    assert!(
        error.contains("cut-at") && error.contains("'soon'"),
        "{error}"
    );
    let error = PlanText::from_json(r#"{"sead": 7}"#).expect_err("refused");
    assert!(error.to_string().contains("sead"), "{error}");
}
