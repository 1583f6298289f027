use super::*;

const ROOM: Room = Room { requests: 3, request_bytes: 100, responses: 2 };

/// `I` is `initialize`, another upper case letter a notification, a digit a response, and a lower case letter a request.
fn lane(messages: &str) -> Lane<char> {
    let mut lane = Lane::new(ROOM);
    push(&mut lane, messages);
    lane
}

fn push(lane: &mut Lane<char>, messages: &str) {
    for message in messages.chars() {
        let order = match message {
            'I' => Order::Opening,
            'A'..='Z' => Order::Notification,
            '0'..='9' => Order::Response,
            _ => Order::Request,
        };
        lane.push(order, 1, message);
    }
}

/// What may go now, and the tickets of it.
fn ready(lane: &mut Lane<char>) -> (String, Vec<Ticket>) {
    std::iter::from_fn(|| lane.take()).map(|departure| (departure.item, departure.ticket)).unzip()
}

fn names(lane: &mut Lane<char>) -> String {
    ready(lane).0
}

#[test]
fn requests_fly_together_up_to_the_bound() {
    let mut lane = lane("abcd");
    let (first, tickets) = ready(&mut lane);
    assert_eq!(first, "abc");
    assert!(lane.landed(tickets[1]));
    assert!(!lane.landed(tickets[1]));
    assert_eq!(names(&mut lane), "d");
}

#[test]
fn bytes_are_a_bound_too_and_one_passes_alone() {
    let mut lane = Lane::new(ROOM);
    for (item, len) in [('a', 60), ('b', 60), ('c', 400)] {
        lane.push(Order::Request, len, item);
    }
    for name in ["a", "b", "c"] {
        let (now, tickets) = ready(&mut lane);
        assert_eq!(now, name);
        lane.landed(tickets[0]);
    }
}

#[test]
fn a_notification_waits_for_the_handing_over_and_not_for_answers() {
    let mut lane = lane("abNc");
    let (now, tickets) = ready(&mut lane);
    assert_eq!(now, "ab");
    lane.handed(tickets[0]);
    assert_eq!(names(&mut lane), "", "b is not yet on its way");
    lane.handed(tickets[1]);
    let (now, notification) = ready(&mut lane);
    assert_eq!(now, "N", "and c waits for it");
    assert!(!lane.is_quiet());
    lane.released(notification[0]);
    let (now, last) = ready(&mut lane);
    assert_eq!(now, "c");
    lane.landed(notification[0]);
    lane.handed(last[0]);
    assert!(lane.is_quiet(), "three requests are in flight, which is what they do");
}

#[test]
fn notifications_go_one_by_one() {
    let mut lane = lane("MN");
    let (now, tickets) = ready(&mut lane);
    assert_eq!(now, "M");
    lane.released(tickets[0]);
    assert_eq!(names(&mut lane), "N");
}

#[test]
fn responses_pass_requests_without_room_and_no_notification() {
    let mut lane = lane("abcd1e23N4");
    let (now, tickets) = ready(&mut lane);
    assert_eq!(now, "abc12");
    tickets.iter().for_each(|&ticket| lane.handed(ticket));
    lane.landed(tickets[3]);
    let (now, third) = ready(&mut lane);
    assert_eq!(now, "3");
    lane.handed(third[0]);
    lane.landed(third[0]);
    lane.landed(tickets[4]);
    assert_eq!(names(&mut lane), "", "N waits for d and e, which wait for room, and 4 for N");
    assert_eq!(lane.held(), Some((None, MAX_HOLD)));
    lane.let_go();
    let (now, notification) = ready(&mut lane);
    assert_eq!(now, "N");
    lane.released(notification[0]);
    assert_eq!(names(&mut lane), "4");
}

#[test]
fn everything_but_responses_waits_for_the_answer_to_initialize() {
    let mut lane = lane("IaN1");
    let (now, tickets) = ready(&mut lane);
    assert_eq!(now, "I");
    assert_eq!(lane.held(), Some((Some(tickets[0]), OPENING_HOLD)));
    let mut lane = self::lane("I1a");
    let (now, tickets) = ready(&mut lane);
    assert_eq!(now, "I1");
    lane.released(tickets[0]);
    assert_eq!(names(&mut lane), "a");
    assert!(!lane.is_quiet());
}

#[test]
fn nothing_is_held_for_ever() {
    let mut lane = lane("aNbI");
    let (_, a) = ready(&mut lane);
    assert_eq!(lane.held(), Some((None, MAX_HOLD)));
    lane.let_go();
    let (now, notification) = ready(&mut lane);
    assert_eq!(now, "N", "though a was never handed over");
    assert_eq!(lane.held(), Some((Some(notification[0]), MAX_HOLD)));
    lane.let_go();
    let (now, b) = ready(&mut lane);
    assert_eq!(now, "b", "though nobody took N");
    // What was let go holds nobody when it comes after all.
    lane.released(notification[0]);
    lane.handed(a[0]);
    assert_eq!(names(&mut lane), "", "b is not yet on its way");
    assert_eq!(lane.held(), None);
    lane.handed(b[0]);
    assert_eq!(names(&mut lane), "I");
}

#[test]
fn what_waits_is_counted_and_can_be_withdrawn() {
    let mut lane = lane("abcdeN1");
    assert_eq!(names(&mut lane), "abc");
    assert_eq!(lane.waiting(), [(2, 2), (2, 2)]);
    assert_eq!(lane.withdraw(|&item| item == 'd'), Some('d'));
    assert_eq!(lane.withdraw(|&item| item == 'd'), None);
    assert_eq!(lane.waiting(), [(1, 1), (2, 2)]);
    lane.clear();
    assert_eq!(lane.waiting(), [(0, 0); 2]);
}
