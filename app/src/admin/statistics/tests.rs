use http::StatusCode;

use super::*;
use crate::admin::tests::World;

#[test]
fn a_day_is_written_in_one_way() {
    assert_eq!(day("1970-01-02"), Some(Timestamp(0).plus(DAY)));
    assert_eq!(day("2024-02-29").map(|at| Civil::of(at).day), Some(29));
    for text in
        ["", "2026-02-29", "2026-11-31", "2026-1-2", "2026-13-01", "2026-11-00", "20261122", "2026-11-22T", "+2026-1-1"]
    {
        assert_eq!(day(text), None, "{text}");
    }
}

#[tokio::test]
async fn a_day_is_told_once_and_a_reader_so_much_and_no_more() {
    let world = World::with("", "[statistics]\nepsilon = 1\nreader_epsilon = 2").await;
    let get = async |day: &str| world.get(&format!("/admin/v1/statistics?day={day}")).await;
    let (status, told) = get("2026-01-01").await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert_eq!((&told["epsilon"], &told["within"], &told["at_most_of_each"]), (&1.0.into(), &60.into(), &20.into()));
    let counts = told["counts"].as_array().unwrap();
    let names: Vec<_> = counts.iter().map(|c| format!("{} {}", c["model"], c["ended"])).collect();
    assert_eq!(names, [r#""m" "passed""#, r#""m" "refused""#]);
    assert_eq!(told["reader"]["told"], 1.0);
    // Asked again it is the same noise, so that nobody averages it away; and no news.
    let (_, again) = get("2026-01-01").await;
    assert_eq!((&again["counts"], &again["reader"]["told"]), (&told["counts"], &1.0.into()));
    assert_eq!(get("2026-01-02").await.0, StatusCode::OK);
    assert_eq!(get("2026-01-03").await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(get("2026-01-01").await.0, StatusCode::OK);
    // A day that goes on would be told with what is still to come missing.
    let today = Civil::of(clock::now()).to_string();
    for day in [&today[..10], "2999-01-01", "yesterday"] {
        assert_eq!(get(day).await.0, StatusCode::BAD_REQUEST, "{day}");
    }
    assert_eq!(world.get("/admin/v1/statistics").await.0, StatusCode::BAD_REQUEST);
}
