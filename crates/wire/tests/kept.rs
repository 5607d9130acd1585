//! What messages are made of: what is put in comes out, bounds hold, and secrets are told apart.

use conclave_wire::{
    Blob, DeviceId, List, MAX_BATCH, MAX_CARD, MAX_COMMIT, MAX_DESCRIPTOR, MAX_DIRECT, MAX_PUBLISH,
    MAX_SIGNAL, MAX_TREE, MAX_WELCOME, Token,
};

#[test]
fn a_blob_holds_what_is_put_in() {
    let blob = Blob::<4>::new(vec![1, 2, 3, 4]).expect("at the bound");
    assert_eq!(blob.as_slice(), [1, 2, 3, 4]);
    assert_eq!((blob.len(), blob.is_empty()), (4, false));
    assert_eq!(format!("{blob:?}"), "Blob(4 bytes)");
    assert_eq!(blob.into_vec(), [1, 2, 3, 4]);
    assert!(Blob::<4>::default().is_empty());
    assert!(Blob::<4>::new(vec![0; 5]).is_err());
}

#[test]
fn a_list_holds_what_is_put_in_up_to_its_bound_also_over_the_wire() {
    let list = List::<u8, 3>::new(vec![7, 8, 9]).expect("at the bound");
    assert_eq!(list.as_slice(), [7, 8, 9]);
    assert!(!list.is_empty() && List::<u8, 3>::default().is_empty());
    assert!(List::<u8, 3>::new(vec![0; 4]).is_err());
    let text = serde_json::to_string(&list).expect("encodes");
    let read = |text: &str| serde_json::from_str::<List<u8, 3>>(text);
    assert_eq!(read(&text).expect("at the bound"), list);
    // This format does not say beforehand how many come.
    let error = read("[7,8,9,10]").expect_err("over the bound").to_string();
    assert!(
        error.contains("invalid length 4, expected up to 3 items"),
        "{error}"
    );
}

#[test]
fn tokens_and_their_hashes_are_equal_only_to_themselves() {
    let (one, other) = (Token([1; 32]), Token([2; 32]));
    assert!(one == one.clone() && one != other);
    assert!(one.hash() == one.hash() && one.hash() != other.hash());
    assert!(one.hash().admits(&one) && !one.hash().admits(&other));
}

#[test]
fn an_id_is_digits_and_nothing_else() {
    let id = |text: &str| text.parse::<DeviceId>();
    assert_eq!(
        id("000102030405060708090a0b0c0d0e0f").expect("an id").0[15],
        15
    );
    for wrong in [
        "+0+1+2+3+4+5+6+7+8+9+a+b+c+d+e+f",
        "000102030405060708090a0b0c0d0e0",
        "000102030405060708090a0b0c0d0e0ff",
        "éééééééééééééééé",
        "",
    ] {
        assert!(id(wrong).is_err(), "{wrong}");
    }
}

/// The numbers of docs/protocol.md, section 7.
#[test]
fn the_bounds_are_those_of_the_protocol() {
    const KIB: usize = 1024;
    assert_eq!((MAX_DESCRIPTOR, MAX_CARD), (16 * KIB, 24 * KIB));
    assert_eq!((MAX_SIGNAL, MAX_DIRECT), (8 * KIB, KIB * KIB));
    assert_eq!(MAX_COMMIT, 1536 * KIB);
    assert_eq!((MAX_WELCOME, MAX_TREE), (512 * KIB, 3 * KIB * KIB));
    assert_eq!((MAX_PUBLISH, MAX_BATCH), (256 * KIB, KIB));
}
