//! A camera from off to on, looked through and exchanged, with stand-ins for the hardware.

mod standin;

use std::future::Future;

use self::standin::Desk;
use super::*;

const LIMIT: Duration = Duration::from_secs(20);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("in time")
}

/// A camera that shows its own picture and is switched off.
fn switched_off() -> Camera {
    let mut camera = Camera::new(CameraSource::Test, Some(Size::Low));
    camera.turn(false);
    camera
}

fn look(camera: &mut Camera, chosen: CameraSource) -> Looking {
    let (answer, pictures) = oneshot::channel();
    camera.look(chosen, answer);
    pictures
}

type Looking = oneshot::Receiver<Result<mpsc::Receiver<Glance>, ClientError>>;

async fn given(camera: &mut Camera) -> (bool, VideoPacket) {
    loop {
        match soon(camera.next()).await {
            Given::Picture(packet) => return (true, packet),
            Given::Own(packet) => return (false, packet),
            Given::Opened(_) | Given::Followed { .. } => {}
            Given::Recovered | Given::Strained(_) => {}
            Given::Trouble(error) | Given::Ended(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn who_only_looks_through_the_camera_is_seen_by_nobody() {
    let mut camera = switched_off();
    // Others ask for pictures all the while.
    camera.show(Size::High);
    let looking = look(&mut camera, CameraSource::Off);
    for _ in 0..10 {
        let (for_all, packet) = given(&mut camera).await;
        assert!(!for_all);
        assert_eq!(packet.size, Size::Low, "the own picture and no other");
        camera.show(Size::Medium);
    }
    let mut pictures = soon(looking).await.unwrap().unwrap();
    assert!(soon(pictures.recv()).await.is_some());
    assert!(camera.end_look(), "it was opened for that alone");
    assert!(camera.capture.is_none());
    while soon(pictures.recv()).await.is_some() {}
}

#[tokio::test]
async fn being_seen_and_looking_share_one_camera() {
    let mut camera = switched_off();
    let looking = look(&mut camera, CameraSource::Off);
    given(&mut camera).await;
    let mut pictures = soon(looking).await.unwrap().unwrap();
    camera.show(Size::High);
    camera.turn(true);
    let mut first = None;
    while first.is_none() {
        let (for_all, packet) = given(&mut camera).await;
        assert!(for_all);
        first = (packet.size == Size::High).then_some(packet.key);
    }
    assert_eq!(first, Some(true), "which decodes alone");
    camera.turn(false);
    for _ in 0..5 {
        assert!(!given(&mut camera).await.0);
    }
    camera.turn(true);
    assert!(!camera.end_look(), "it is still wanted");
    assert!(given(&mut camera).await.0);
    assert!(soon(pictures.recv()).await.is_some());
}

#[tokio::test]
async fn without_a_camera_there_is_nothing_to_look_through_but_a_chosen_one() {
    let mut camera = Camera::new(CameraSource::Off, Some(Size::Low));
    camera.open().await.unwrap();
    let looking = look(&mut camera, CameraSource::Off);
    let refused = soon(looking).await.unwrap().unwrap_err();
    assert!(matches!(refused, ClientError::NoCamera), "{refused}");
    let looking = look(&mut camera, CameraSource::Test);
    assert!(!given(&mut camera).await.0, "nobody asked to be seen");
    assert!(soon(looking).await.unwrap().is_ok());
}

#[tokio::test]
async fn who_waits_for_a_camera_that_does_not_open_is_told_why() {
    let missing = CameraSource::File("/nowhere/code.png".into());
    let mut camera = Camera::new(missing, None);
    camera.turn(false);
    let looking = look(&mut camera, CameraSource::Off);
    let refused = tokio::select! {
        answer = soon(looking) => answer.unwrap().unwrap_err().to_string(),
        _ = camera.next() => panic!("it was to be told to who asked, and to nobody else"),
    };
    assert!(refused.contains("/nowhere/code.png"), "{refused}");
}

fn device(name: &str) -> CameraSource {
    CameraSource::Device(format!("/dev/{name}"))
}

/// An open camera of which one size is shown here and another one read by others.
async fn seen(source: CameraSource) -> Camera {
    let mut camera = Camera::new(source, Some(Size::Low));
    camera.show(Size::High);
    camera.turn(true);
    while !matches!(soon(camera.next()).await, Given::Opened(_)) {}
    for size in [Size::Low, Size::High] {
        while given(&mut camera).await.1.size != size {}
    }
    camera
}

type Chosen = oneshot::Receiver<Result<(), ClientError>>;

fn choose(camera: &mut Camera, source: CameraSource) -> Chosen {
    let (answer, chosen) = oneshot::channel();
    camera.choose(source, answer);
    chosen
}

/// What becomes of a choice, and what the camera gives until that is known.
async fn settled(camera: &mut Camera, mut chosen: Chosen) -> (Result<(), ClientError>, Vec<Given>) {
    let mut all = Vec::new();
    loop {
        tokio::select! {
            biased;
            answer = &mut chosen => return (answer.expect("an answer"), all),
            given = soon(camera.next()) => all.push(given),
        }
    }
}

/// What there is to tell of the camera next, besides pictures.
async fn news(camera: &mut Camera) -> Given {
    loop {
        match soon(camera.next()).await {
            Given::Picture(_) | Given::Own(_) => {}
            news => return news,
        }
    }
}

fn packets(given: &[Given]) -> Vec<&VideoPacket> {
    let mut packets = Vec::new();
    for given in given {
        if let Given::Picture(packet) = given {
            packets.push(packet);
        }
    }
    packets
}

#[tokio::test]
async fn another_camera_takes_over_from_its_first_picture() {
    let _desk = Desk::with(&["desk", "wall"]).slow(Duration::from_millis(300));
    let mut camera = seen(device("desk")).await;
    let chosen = choose(&mut camera, device("wall"));
    let mut last = Instant::now();
    let mut all = Vec::new();
    loop {
        match soon(camera.next()).await {
            Given::Opened(name) => {
                assert_eq!(name, "wall");
                break;
            }
            given => all.push(given),
        }
        last = Instant::now();
    }
    assert_eq!(
        soon(chosen).await.unwrap().map_err(|e| e.to_string()),
        Ok(())
    );
    let before = all.len();
    assert!(before > 3, "the one before goes on: {before}");
    while all.len() < before + 30 {
        all.push(soon(camera.next()).await);
        if all.len() == before + 1 {
            let gap = last.elapsed();
            eprintln!("without a picture for {gap:?}");
            assert!(gap < Duration::from_millis(500), "{gap:?}");
        }
    }
    for size in [Size::Low, Size::High] {
        let of_size = |packet: &&VideoPacket| packet.size == size;
        let first = packets(&all[before..]).into_iter().find(of_size);
        assert!(first.expect("both are read").key, "which decodes alone");
        let moments: Vec<_> = packets(&all).into_iter().filter(of_size).collect();
        let is_later = |pair: &[&VideoPacket]| pair[0].capture_us < pair[1].capture_us;
        assert!(moments.windows(2).all(is_later), "time goes forward");
    }
    assert_eq!(camera.in_use().name, "wall");
}

#[tokio::test]
async fn time_goes_forward_whichever_camera_is_quicker() {
    let mut camera = seen(CameraSource::Test).await;
    let (_, last) = given(&mut camera).await;
    let earlier = VideoPacket {
        capture_us: last.capture_us - 40_000,
        ..last.clone()
    };
    for later_us in [1, 2] {
        let Given::Picture(packet) = camera.picture(earlier.clone()) else {
            panic!("it is on");
        };
        assert_eq!(packet.capture_us, last.capture_us + later_us);
    }
}

#[tokio::test]
async fn one_that_does_not_open_is_told_of_and_the_one_before_goes_on() {
    let mut camera = seen(CameraSource::Test).await;
    let missing = CameraSource::File("/nowhere/film.mkv".into());
    let before = given(&mut camera).await.1;
    let chosen = choose(&mut camera, missing);
    let (answer, mut all) = settled(&mut camera, chosen).await;
    let refused = answer.unwrap_err().to_string();
    assert!(refused.contains("/nowhere/film.mkv"), "{refused}");
    while all.len() < 20 {
        all.push(soon(camera.next()).await);
    }
    let is_picture = |given: &Given| matches!(given, Given::Picture(_));
    assert!(all.iter().all(is_picture), "whoever chose it is told alone");
    let of_size = |packet: &&VideoPacket| packet.size == before.size;
    let seqs = packets(&all).into_iter().filter(of_size);
    let seqs: Vec<_> = seqs.map(|packet| packet.seq).collect();
    assert!(seqs.len() > 3);
    assert_eq!(seqs[0], before.seq + 1, "not begun anew");
    assert_eq!(camera.in_use().name, "Test picture");
}

#[tokio::test]
async fn cameras_that_cannot_be_open_together_take_turns() {
    let desk = Desk::with(&["desk", "wall"]).with_broken("door").narrow();
    let mut camera = seen(device("desk")).await;
    let looking = look(&mut camera, CameraSource::Off);
    let mut pictures = soon(looking).await.unwrap().unwrap();
    let chosen = choose(&mut camera, device("wall"));
    let (answer, _) = settled(&mut camera, chosen).await;
    answer.unwrap();
    assert_eq!(desk.attempts("wall"), 2, "beside the other, and alone");

    let chosen = choose(&mut camera, device("door"));
    let (answer, _) = settled(&mut camera, chosen).await;
    let refused = answer.unwrap_err().to_string();
    assert!(
        refused.contains("“door”") && refused.contains("gives no picture"),
        "{refused}"
    );
    assert!(matches!(news(&mut camera).await, Given::Opened(name) if name == "wall"));
    given(&mut camera).await;
    // One may wait since before; who looks through the camera saw nothing of all this.
    for _ in 0..3 {
        assert!(soon(pictures.recv()).await.is_some());
    }
}

#[tokio::test]
async fn who_looks_goes_on_through_the_next_camera_and_is_seen_by_nobody() {
    let _desk = Desk::with(&["desk", "wall"]);
    let mut camera = Camera::new(device("desk"), Some(Size::Low));
    camera.turn(false);
    let looking = look(&mut camera, CameraSource::Off);
    assert!(!given(&mut camera).await.0);
    let mut pictures = soon(looking).await.unwrap().unwrap();
    let chosen = choose(&mut camera, device("wall"));
    let (answer, all) = settled(&mut camera, chosen).await;
    answer.unwrap();
    assert!(packets(&all).is_empty());
    assert_eq!(camera.in_use().name, "wall");
    for _ in 0..3 {
        assert!(!given(&mut camera).await.0);
        assert!(soon(pictures.recv()).await.is_some());
    }
    assert!(camera.end_look());
    while soon(pictures.recv()).await.is_some() {}
}

#[tokio::test]
async fn a_camera_that_is_held_or_being_opened_is_not_opened_again() {
    let desk = Desk::with(&["desk", "wall"]).slow(Duration::from_millis(300));
    let mut camera = seen(CameraSource::Default).await;
    for same in [
        CameraSource::Default,
        device("desk"),
        CameraSource::Device("desk".into()),
        CameraSource::Default,
    ] {
        let chosen = choose(&mut camera, same.clone());
        let (answer, all) = settled(&mut camera, chosen).await;
        answer.unwrap();
        let is_picture = |given: &Given| matches!(given, Given::Picture(_));
        assert!(all.iter().all(is_picture), "nothing happened");
        assert_eq!(camera.source, PictureSource::Camera(same));
    }
    assert_eq!(desk.attempts("desk"), 1);

    let first = choose(&mut camera, device("wall"));
    let back = choose(&mut camera, CameraSource::Default);
    let again = choose(&mut camera, device("wall"));
    let (answer, _) = settled(&mut camera, first).await;
    assert!(matches!(answer, Err(ClientError::OtherCamera)));
    settled(&mut camera, back).await.0.unwrap();
    settled(&mut camera, again).await.0.unwrap();
    assert_eq!((desk.attempts("wall"), desk.attempts("desk")), (1, 1));
    // At once back to one that is still being closed.
    let chosen = choose(&mut camera, device("desk"));
    settled(&mut camera, chosen).await.0.unwrap();
    assert_eq!(desk.attempts("desk"), 2);
}

#[tokio::test]
async fn while_the_camera_is_off_a_choice_is_only_opened_next() {
    let desk = Desk::with(&["desk", "wall"]).slow(Duration::from_millis(300));
    // None from the start.
    let mut camera = Camera::new(CameraSource::Off, Some(Size::Low));
    camera.open().await.unwrap();
    let mut chosen = choose(&mut camera, device("desk"));
    assert!(chosen.try_recv().unwrap().is_ok(), "at once");
    assert_eq!(desk.attempts("desk"), 0);
    camera.turn(true);
    assert!(matches!(news(&mut camera).await, Given::Opened(name) if name == "desk"));
    // Turned off while the next one opens.
    let mut chosen = choose(&mut camera, device("wall"));
    camera.turn(false);
    assert!(chosen.try_recv().unwrap().is_ok());
    let mut back = choose(&mut camera, device("desk"));
    assert!(back.try_recv().unwrap().is_ok());
    camera.turn(true);
    assert!(matches!(news(&mut camera).await, Given::Opened(name) if name == "desk"));
    assert!(given(&mut camera).await.0);
}

#[tokio::test]
async fn a_camera_that_is_unplugged_is_followed_by_the_next_default_one() {
    let desk = Desk::with(&["desk", "wall"]);
    let mut camera = seen(CameraSource::Default).await;
    let looking = look(&mut camera, CameraSource::Off);
    let mut pictures = soon(looking).await.unwrap().unwrap();
    desk.unplug("desk");
    let Given::Followed { gone, name } = news(&mut camera).await else {
        panic!("another one is there");
    };
    assert_eq!((gone.as_str(), name.as_str()), ("desk", "wall"));
    assert!(given(&mut camera).await.1.key);
    for _ in 0..3 {
        assert!(soon(pictures.recv()).await.is_some());
    }
    desk.unplug("wall");
    let Given::Ended(error) = news(&mut camera).await else {
        panic!("no other one is there");
    };
    let text = error.to_string();
    assert!(
        text.contains("“wall”") && text.contains("choose another"),
        "{text}"
    );
    assert_eq!(camera.in_use().problem, Some(text));
    while soon(pictures.recv()).await.is_some() {}
}

#[tokio::test]
async fn a_chosen_camera_that_is_unplugged_stays_chosen() {
    let desk = Desk::with(&["desk", "wall"]);
    let mut camera = seen(device("wall")).await;
    desk.unplug("wall");
    assert!(matches!(news(&mut camera).await, Given::Ended(_)));
    assert_eq!(desk.attempts("desk"), 0);
    // Chosen again it is opened again.
    desk.plug("wall");
    let chosen = choose(&mut camera, device("wall"));
    settled(&mut camera, chosen).await.0.unwrap();
    assert!(given(&mut camera).await.1.key);
    assert_eq!(camera.in_use().problem, None);
}
