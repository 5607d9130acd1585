//! How an input is read as a plan.

// Every test here is linked with the fuzzer's runtime, or a fuzzer's build fails.
use bolero as _;
use fuzz::Feed;

#[test]
fn an_input_that_is_used_up_gives_zeros() {
    let mut feed = Feed::new(&[7, 1]);
    assert_eq!((feed.byte(), feed.flag(), feed.byte()), (7, true, 0));
    assert_eq!((feed.below(9), feed.below(0)), (0, 0));
    assert!(feed.is_empty() && feed.rest().is_empty() && feed.take(3).is_empty());
}

#[test]
fn a_plan_without_changes_gives_the_real_message() {
    let real = [b"one".to_vec(), b"two".to_vec()];
    assert_eq!(Feed::new(&[1, 0, 1, 0]).forge(&real), b"two");
    assert_eq!(Feed::new(b"\0other").forge(&real), b"other");
    // One bit of the first byte.
    let plan = [1, 0, 0, 1, 0, 0, 0, 7, 0];
    assert_eq!(Feed::new(&plan).forge(&real), b"nne");
}
