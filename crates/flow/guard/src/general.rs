//! What may be left of a value: of a date the year, of an address in a network the network, of a postal code its beginning.
//!
//! The steps are those of the HIPAA safe harbour (45 CFR 164.514(b)(2)) where it has one.

use std::net::IpAddr;

use countersign_core::Entity;

/// The value with less in it; none where nothing is known to be left, and then it is masked.
pub(crate) fn generalized(entity: Entity, value: &str) -> Option<String> {
    match entity {
        Entity::DateTime | Entity::Dob => year(value),
        Entity::Age => age(value),
        Entity::IpAddress => network(value),
        Entity::Location | Entity::Address => postal_area(value),
        _ => None,
    }
}

/// The one year that stands in a date.
fn year(value: &str) -> Option<String> {
    let mut years = value.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() == 4);
    let year = years.next().filter(|_| years.next().is_none())?;
    (year.starts_with("19") || year.starts_with("20")).then(|| year.to_owned())
}

/// An age up to 89 stays.
fn age(value: &str) -> Option<String> {
    let mut numbers = value.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    let years: u32 = numbers.next().filter(|_| numbers.next().is_none())?.parse().ok()?;
    Some(if years > 89 { "90+".to_owned() } else { value.to_owned() })
}

fn network(value: &str) -> Option<String> {
    Some(match value.trim().parse().ok()? {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    })
}

/// The first three characters of a postal code of the USA, Canada or the United Kingdom. Where few people live, nothing is left of it.
fn postal_area(value: &str) -> Option<String> {
    let plain: Vec<u8> = value.bytes().filter(|b| !matches!(b, b' ' | b'-')).map(|b| b.to_ascii_uppercase()).collect();
    let shape: Vec<u8> = plain
        .iter()
        .map(|b| match b {
            b'0'..=b'9' => b'9',
            b'A'..=b'Z' => b'A',
            _ => b'?',
        })
        .collect();
    let area = String::from_utf8(plain.get(..3)?.to_vec()).ok()?;
    match shape.as_slice() {
        b"99999" | b"999999999" => Some(if FEW_PEOPLE.contains(&&*area) { "000".to_owned() } else { area }),
        b"A9A9A9" | b"A99AA" | b"A999AA" | b"AA99AA" | b"AA999AA" | b"A9A9AA" | b"AA9A9AA" => Some(area),
        _ => None,
    }
}

/// Areas of fewer than 20,000 people (HHS guidance on de-identification, census of 2000).
const FEW_PEOPLE: [&str; 17] = [
    "036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879", "884", "890",
    "893",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_left_of_it() {
        for (entity, value, want) in [
            (Entity::Dob, "14 March 1962", Some("1962")),
            (Entity::DateTime, "1962-03-14", Some("1962")),
            (Entity::Dob, "03/14/62", None),
            (Entity::DateTime, "from 1962 to 1964", None),
            (Entity::Age, "93 years old", Some("90+")),
            (Entity::Age, "89", Some("89")),
            (Entity::Age, "ninety", None),
            (Entity::IpAddress, "192.0.2.77", Some("192.0.2.0/24")),
            (Entity::IpAddress, "2001:db8:1:2::77", Some("2001:db8:1::/48")),
            (Entity::IpAddress, "192.0.2.777", None),
            (Entity::Location, "94110", Some("941")),
            (Entity::Location, "94110-1234", Some("941")),
            (Entity::Location, "03601", Some("000")),
            (Entity::Address, "SW1A 1AA", Some("SW1")),
            (Entity::Location, "K1A 0B1", Some("K1A")),
            (Entity::Location, "Paris", None),
            (Entity::Person, "Ann Smith", None),
        ] {
            assert_eq!(generalized(entity, value).as_deref(), want, "{value}");
        }
    }
}
