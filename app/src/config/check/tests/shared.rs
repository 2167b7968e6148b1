//! Budgets, prices, and what nodes share.

use countersign_core::charge::{Price, Unit};
use countersign_policy::budget::{By, Window};

use super::*;
use crate::config::StoreAt;

const PRICE: &str = "[[price]]\nmodels = [\"m\"]\ninput = \"2.50\"\noutput = \"10\"\nmost_output = 100\n";

fn with(more: &str) -> String {
    [&whole(), more].concat()
}

fn budget(fields: &str) -> String {
    with(&format!("{PRICE}[[budget]]\nname = \"b\"\nwindow = \"day\"\n{fields}"))
}

#[test]
fn budgets_are_read_to_the_millionth() {
    let home = Home::new();
    let text = budget("per = [\"role\", \"model\"]\nroles = [\"staff\"]\nmodels = [\"m\"]\nmoney = \"25.50\"\n");
    let config = home.load(&text).expect("a whole configuration");
    let budgets = &config.policy.rates.budgets;
    let budget = &budgets.budgets[0];
    assert_eq!((budget.unit, budget.limit, budget.window), (Unit::Money, 25_500_000, Window::Day));
    assert_eq!(budget.per, [By::Role, By::Model]);
    let tariff = budgets.tariffs["m"];
    assert_eq!((tariff.price, tariff.attachment), (Price { input: 2_500_000, output: 10_000_000 }, 4_096));
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let home = Home::new();
    let requests = "requests = 1\n";
    for (text, problem) in [
        (budget(""), "exactly one of `requests`, `tokens` and `money`"),
        (budget("requests = 1\ntokens = 1\n"), "exactly one of `requests`, `tokens` and `money`"),
        (budget("money = \"1,50\"\n"), "the budget's figure cannot be counted"),
        (budget("tokens = 2000000000000000\n"), "the budget's figure cannot be counted"),
        (budget("requests = -1\n"), "invalid value"),
        (budget("requests = 1\nmodels = [\"other\"]\n"), "no target serves the model `other`"),
        (budget("requests = 1\nper = [\"group\"]\n"), "unknown variant"),
        (
            budget(&format!("{requests}[[budget]]\nname = \"b\"\nwindow = \"day\"\n{requests}")),
            "two budgets are named `b`",
        ),
        (with("[[budget]]\nname = \"a\\\"b\"\nwindow = \"day\"\nrequests = 1\n"), "cannot stand in a header"),
        (with("[[budget]]\nname = \"b\"\nwindow = \"week\"\nrequests = 1\n"), "unknown variant"),
        (with("[[budget]]\nname = \"b\"\nwindow = \"day\"\ntokens = 1\n"), "the model `m`, which has no [[price]]"),
        (with(&format!("{PRICE}{PRICE}")), "the model `m` has two prices"),
        (with(&PRICE.replace("2.50", "2.5000001")), "`input` is not an amount"),
        (with(&PRICE.replace("most_output = 100", "most_output = 0")), "`most_output` is 0"),
        (with(&PRICE.replace("[\"m\"]", "[]")), "a price for no model"),
    ] {
        let problems = home.problems(&text);
        assert!(problems.iter().any(|p| p.what.contains(problem)), "{problem}: {problems:?}");
    }
}

#[test]
fn what_nodes_share_is_reached_safely_or_not_at_all() {
    let home = Home::new();
    let store = |text: &str| with(&format!("[store]\n{text}\n"));
    let cluster = |text: &str| [&format!("node = \"n\"\n{}", whole()), "[cluster]\n", text, "\n"].concat();
    for (text, problem) in [
        (store("postgres = \"postgres://u:hunter2@db/d\""), "it holds a password"),
        (store("postgres = \"postgres://u@db/d?sslmode=disable\""), "it holds options"),
        (store("postgres = \"postgres://u@db\""), "it names no database"),
        (store("postgres = \"postgres://u@db/d\"\nca = \"nothing.pem\""), "`nothing.pem` cannot be read"),
        (store("postgres = \"postgres://u@db/d\"\npassword = { file = \"open.key\" }"), "open to everyone"),
        (cluster("redis = \"redis://cache:6379\""), "in the clear"),
        (cluster("redis = \"rediss://u:hunter2@cache\""), "it holds a password"),
        (cluster("redis = \"rediss://cache\"\nca = \"policy.cedar\""), "`ca` holds no certificates"),
        (with("[cluster]\nredis = \"redis://127.0.0.1\"\n"), "a node of a cluster has no name"),
    ] {
        let problems = home.problems(&text);
        assert!(problems.iter().any(|p| p.what.contains(problem)), "{problem}: {problems:?}");
        assert!(!format!("{problems:?}").contains("hunter2"), "a password is shown");
    }
    let text =
        cluster("redis = \"rediss://me@cache:6380\"\npassword = { file = \"provider.key\" }\nca = \"chain.pem\"");
    let shared = "[store]\npostgres = \"postgres://u@db/d\"\npassword = { sealed = \"db\" }\nca = \"chain.pem\"\n";
    let config = home.load(&[&text, shared].concat()).expect("a whole configuration");
    assert!(matches!(config.home.store, StoreAt::Postgres { password: Some(Key::Sealed(_)), .. }));
    let redis = config.cluster.expect("a cluster");
    assert!(redis.address.tls && redis.ca.is_some() && matches!(redis.password, Some(Key::Known(_))));
}
