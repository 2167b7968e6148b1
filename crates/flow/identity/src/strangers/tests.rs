use super::*;

const ONE: [u8; 4] = [203, 0, 113, 7];

fn at(seconds: u64) -> Timestamp {
    Timestamp((1_800_000_000 + seconds) * 1_000_000)
}

fn flood(strangers: &Strangers, from: Option<IpAddr>, now: Timestamp, times: u64) -> u64 {
    (0..times).filter(|_| strangers.refused(from, now).is_none()).count() as u64
}

#[test]
fn a_flood_of_a_place_is_recorded_in_part_and_counted_in_whole() {
    let strangers = Strangers::default();
    let from = Some(ONE.into());
    assert_eq!(flood(&strangers, from, at(0), 100), 100);
    assert_eq!(flood(&strangers, from, at(10), 5_000), RECORDED - 100);
    assert_eq!(strangers.refused(from, at(20)), Some(Duration::from_secs(40)));
    assert_eq!(strangers.tallies(at(59), false), []);
    let tally = Tally { from: Place::Address(ONE.into()), count: 5_100 - RECORDED + 1, first: at(10), last: at(20) };
    assert_eq!(strangers.tallies(at(60), false), [tally]);
    assert_eq!(strangers.tallies(at(60), true), []);
    // The next minute is like the first.
    assert_eq!(flood(&strangers, from, at(60), 1_000), RECORDED);
    assert_eq!(strangers.tallies(at(61), true)[0].count, 1_000 - RECORDED);
}

#[test]
fn a_flood_that_never_pauses_is_one_record_a_minute() {
    let strangers = Strangers::default();
    let (mut recorded, mut counted, mut records) = (0, 0, 0);
    for second in 0..600 {
        recorded += flood(&strangers, Some(ONE.into()), at(second), 50);
        for tally in strangers.tallies(at(second), false) {
            assert!(tally.last.since(tally.first) <= MINUTE);
            (counted, records) = (counted + tally.count, records + 1);
        }
    }
    counted += strangers.tallies(at(600), true).iter().map(|t| t.count).sum::<u64>();
    assert_eq!((recorded, counted + recorded), (10 * RECORDED, 600 * 50));
    assert!((9..=10).contains(&records), "{records}");
}

#[test]
fn places_do_not_share_and_a_subscriber_is_one_place() {
    let strangers = Strangers::default();
    let from = |text: &str| Some(text.parse::<IpAddr>().unwrap());
    assert_eq!(flood(&strangers, from("203.0.113.7"), at(0), 200), RECORDED);
    assert_eq!(flood(&strangers, from("203.0.113.8"), at(0), 200), RECORDED);
    assert_eq!(flood(&strangers, from("::ffff:203.0.113.7"), at(0), 9), 0, "the same address in other clothes");
    assert_eq!(flood(&strangers, from("2001:db8:1:2::1"), at(0), 200), RECORDED);
    assert_eq!(flood(&strangers, from("2001:db8:1:2:ffff::9"), at(0), 9), 0, "the same network");
    assert_eq!(flood(&strangers, from("2001:db8:1:3::1"), at(0), 200), RECORDED);
    assert_eq!(flood(&strangers, None, at(0), 200), RECORDED);
    let mut names: Vec<_> = strangers.tallies(at(0), true).iter().map(|t| t.from.to_string()).collect();
    names.sort();
    assert_eq!(names, ["2001:db8:1:2::/64", "2001:db8:1:3::/64", "203.0.113.7", "203.0.113.8", "a Unix socket"]);
}

#[test]
fn any_number_of_places_takes_bounded_room_and_bounded_records() {
    let strangers = Strangers::default();
    let mut recorded = 0;
    for i in 0..100_000_u32 {
        recorded += flood(&strangers, Some(IpAddr::V4(i.into())), at(0), 2);
    }
    assert_eq!(strangers.0.lock().unwrap().len(), PLACES + 1);
    assert_eq!(recorded, 2 * PLACES as u64 + RECORDED);
    let tallies = strangers.tallies(at(0), true);
    assert_eq!((tallies.len(), tallies[0].from), (1, Place::Others));
    assert_eq!(recorded + tallies[0].count, 200_000);
    // A minute later there is room again.
    assert_eq!(flood(&strangers, Some(ONE.into()), at(60), 2), 2);
    assert_eq!(strangers.0.lock().unwrap().len(), 1);
}

#[test]
fn a_clock_set_back_begins_a_new_minute_and_loses_no_count() {
    let strangers = Strangers::default();
    assert_eq!(flood(&strangers, Some(ONE.into()), at(1_000), 200), RECORDED);
    assert_eq!(flood(&strangers, Some(ONE.into()), at(0), 200), RECORDED);
    let counted: u64 = strangers.tallies(at(60), false).iter().map(|t| t.count).sum();
    assert_eq!(counted, 2 * (200 - RECORDED));
}
