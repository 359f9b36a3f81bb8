use super::*;

const MINUTE: i64 = 60_000;

fn window(ids: usize) -> Window<u8> {
    Window::new(Bounds { window_ms: 10 * MINUTE, ids }, 0)
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

#[test]
fn a_kept_event_is_known_by_its_body() {
    let mut window = window(100);
    let key = window.key("acme", id(1));
    assert_eq!(window.claim(key, 7, &0), Claim::Fresh);
    window.settle(key, Settled::Kept, 1);
    assert_eq!(window.claim(key, 7, &0), Claim::Known { same_body: true });
    assert_eq!(window.claim(key, 8, &0), Claim::Known { same_body: false });
    let other = window.key("other", id(1));
    assert_eq!(window.claim(other, 8, &0), Claim::Fresh, "an id is unique within a tenant only");
}

#[test]
fn a_repeat_of_one_in_flight_learns_how_that_ends() {
    let mut window = window(100);
    let key = window.key("acme", id(1));
    assert_eq!(window.claim(key, 7, &1), Claim::Fresh);
    assert_eq!(window.claim(key, 7, &2), Claim::InFlight { same_body: true, flight: 1 });
    assert_eq!(window.claim(key, 8, &2), Claim::InFlight { same_body: false, flight: 1 });
    window.settle(key, Settled::NotKept, 1);
    assert_eq!(window.claim(key, 8, &2), Claim::Fresh, "what was not kept binds nobody");
}

#[test]
fn after_an_unknown_outcome_the_same_body_may_come_again_and_no_other() {
    let mut window = window(100);
    let key = window.key("acme", id(1));
    window.claim(key, 7, &1);
    window.settle(key, Settled::Unknown, 1);
    assert_eq!(window.claim(key, 8, &2), Claim::Doubtful);
    assert_eq!(window.claim(key, 7, &2), Claim::Fresh, "what is in doubt has not been claimed");
    window.settle(key, Settled::Kept, 2);
    assert_eq!(window.claim(key, 7, &3), Claim::Known { same_body: true });
    assert_eq!(window.claim(key, 8, &3), Claim::Known { same_body: false });
}

#[test]
fn a_claim_in_spite_of_doubt_is_one_like_any_other() {
    let mut window = window(100);
    let key = window.key("acme", id(1));
    window.claim(key, 7, &1);
    window.settle(key, Settled::Unknown, 1);
    assert_eq!(window.claim_any_body(key, 8, &2), Claim::Fresh);
    assert_eq!(window.claim_any_body(key, 9, &3), Claim::InFlight { same_body: true, flight: 2 });
    window.settle(key, Settled::Kept, 2);
    assert_eq!(window.claim_any_body(key, 9, &3), Claim::Known { same_body: true });
}

#[test]
fn an_id_is_known_for_the_whole_window_and_not_for_ever() {
    let mut window = window(100);
    let key = window.key("acme", id(1));
    window.remember(key, 7, 9 * MINUTE);
    window.turn(10 * MINUTE);
    window.turn(19 * MINUTE);
    assert_eq!(window.look(key, 7), Claim::Known { same_body: true });
    window.turn(20 * MINUTE);
    assert_eq!(window.look(key, 7), Claim::Fresh);
}

#[test]
fn the_bound_on_ids_holds_and_the_window_says_what_it_covers() {
    let mut window = window(100);
    for number in 0..1_000_i64 {
        let key = window.key("acme", id(u128::try_from(number).unwrap()));
        window.remember(key, 7, number);
        assert!(window.len() <= 100);
    }
    assert!(window.covered_ms(1_000) <= 100, "{}", window.covered_ms(1_000));
    let last = window.key("acme", id(999));
    assert_eq!(window.look(last, 7), Claim::Known { same_body: true });
}

/// Reads ids back as a start does, the newest first; how many were taken.
fn read_back(window: &mut Window<u8>, ids: std::ops::Range<u128>) -> u128 {
    let mut taken = 0;
    for number in ids.rev() {
        let key = window.key("acme", id(number));
        if !window.remember_older(key, 7) {
            return taken;
        }
        taken += 1;
    }
    taken
}

fn knows(window: &mut Window<u8>, number: u128) -> bool {
    let key = window.key("acme", id(number));
    window.look(key, 7) == Claim::Known { same_body: true }
}

#[test]
fn what_is_read_back_never_drives_out_what_is_newer() {
    let mut window = window(100);
    assert_eq!(read_back(&mut window, 0..1_000), 100, "the bound on ids holds");
    assert_eq!((window.len(), window.room()), (100, 0));
    assert!((900..1_000).all(|number| knows(&mut window, number)));
    assert!(!knows(&mut window, 899));
    let known = window.key("acme", id(950));
    assert!(window.remember_older(known, 7), "what is known needs no room");
    assert_eq!(window.covered_ms(MINUTE), MINUTE, "nothing of the past is covered that nobody vouched for");
}

#[test]
fn after_a_read_back_the_oldest_go_first() {
    let mut window = window(100);
    read_back(&mut window, 900..1_000);
    let key = window.key("acme", id(1_000));
    window.remember(key, 7, 1);
    assert!((950..=1_000).all(|number| knows(&mut window, number)), "the newer half stays");
    assert!(!knows(&mut window, 949));
}

#[test]
fn what_is_read_back_is_covered_as_far_as_it_was_read() {
    let now = 100 * MINUTE;
    let mut window = Window::<u8>::new(Bounds { window_ms: 10 * MINUTE, ids: 100 }, 0);
    window.restart(now);
    assert_eq!(read_back(&mut window, 960..1_000), 40);
    window.covers_from(now - MINUTE);
    assert_eq!(read_back(&mut window, 900..960), 60);
    window.covers_from(now - 3 * MINUTE);
    assert_eq!(window.covered_ms(now), 3 * MINUTE);
    window.turn(now + 8 * MINUTE);
    assert!(knows(&mut window, 900), "known for the whole window, however long the start took");
    let key = window.key("acme", id(1_000));
    window.remember(key, 7, now + 8 * MINUTE);
    assert_eq!(
        window.covered_ms(now + 8 * MINUTE),
        9 * MINUTE,
        "the half that stays is vouched for since a minute before"
    );
}

#[test]
fn few_that_are_read_back_are_covered_for_the_whole_window() {
    let now = 100 * MINUTE;
    let mut window = Window::<u8>::new(Bounds { window_ms: 10 * MINUTE, ids: 100 }, 0);
    window.restart(now);
    read_back(&mut window, 0..10);
    window.covers_from(now - 10 * MINUTE);
    window.turn(now);
    assert_eq!(window.covered_ms(now), 10 * MINUTE);
    window.turn(now + 9 * MINUTE);
    assert!(knows(&mut window, 0));
}
