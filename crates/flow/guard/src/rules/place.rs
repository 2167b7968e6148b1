//! Addresses of street level, in the forms of a dozen languages: a number and a street, or a street and a number.

use countersign_core::Kind;

use super::{Hit, Text, cursor::Cursor};

/// An address that begins with its number: `12 Main Street`, `12, rue de la Paix`.
pub(super) fn numbered(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    let before = start.checked_sub(1).and_then(|i| text.view.get(i)).copied().unwrap_or(b' ');
    if before.is_ascii_alphanumeric() || b"-./_+$#%,:".contains(&before) {
        return None;
    }
    let digits = cur.eat_while(6, |c| c.is_ascii_digit());
    // 12a, 12-14, 71/227.
    if cur.eat_while(1, |c| matches!(c, b'-' | b'/')) == 1 {
        (cur.eat_while(4, |c| c.is_ascii_digit()) > 0).then_some(())?;
    } else if cur.peek_at(1).is_some_and(|c| matches!(c, b' ' | b',')) {
        cur.eat_while(1, |c| c.is_ascii_alphabetic());
    }
    let comma = cur.eat(b',');
    cur.eat(b' ').then_some(())?;
    let from = cur.at;
    let first = word(cur);
    if first.is_empty() {
        return None;
    }
    if is(first, FRENCH) {
        let named = name(cur, true)?;
        return Some(hit(start, named));
    }
    cur.at = from;
    street(cur, if comma { 3 } else { digits }).map(|end| {
        cur.at = end;
        let end = unit(cur).unwrap_or(end);
        cur.at = end;
        hit(start, town(cur).unwrap_or(end))
    })
}

/// What may lead an address or stand at its beginning: a street with its number behind, a flat, a box.
pub(super) fn led(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    let before = start.checked_sub(1).and_then(|i| text.view.get(i)).copied().unwrap_or(b' ');
    if before.is_ascii_alphanumeric() || before >= 0x80 || b"-./_".contains(&before) {
        return None;
    }
    let first = word(cur);
    if !may_lead(first) {
        return None;
    }
    let capital = first.first().is_some_and(u8::is_ascii_uppercase);
    if capital && ends_like_street(first) {
        cur.eat(b'.');
        cur.eat(b' ').then_some(())?;
        return house(cur).map(|end| hit(start, end));
    }
    if is(first, BEFORE) || is(first, &["C"]) && cur.eat(b'/') {
        cur.eat(b'.');
        cur.eat(b' ').then_some(())?;
        cur.at = name(cur, false)?;
        let end = cur.at;
        cur.eat(b',');
        if cur.eat(b' ')
            && let Some(end) = house(cur)
        {
            cur.at = end;
            return Some(hit(start, unit(cur).unwrap_or(end)));
        }
        // A French street is one without a number, too.
        return (!capital && is(first, FRENCH) && !cur.starved()).then(|| hit(start, end));
    }
    if is(first, HOMES) {
        cur.eat(b'.');
        cur.eat(b' ').then_some(())?;
        (cur.eat_while(4, |c| c.is_ascii_digit()) > 0).then_some(())?;
        cur.eat_while(1, |c| c.is_ascii_alphabetic());
        (cur.eat(b',') && cur.eat(b' ')).then_some(())?;
        // A house of the street may come before it.
        if cur.peek()?.is_ascii_digit() {
            cur.eat_while(5, |c| c.is_ascii_alphanumeric());
            cur.eat(b',');
            cur.eat(b' ').then_some(())?;
        }
        return street(cur, 3).map(|end| hit(start, end));
    }
    if is(first, BOXES) {
        cur.eat_while(1, |c| c == b'.');
        cur.eat(b' ').then_some(())?;
        if first.first() == Some(&b'P') && first.len() < 5 {
            (cur.eat_text(b"Box ") || cur.eat_text(b"Box: ")).then_some(())?;
        }
        let digits = cur.eat_while(7, |c| c.is_ascii_digit());
        return (digits > 1 && !continues(cur)).then(|| hit(start, cur.at));
    }
    None
}

fn hit(start: usize, end: usize) -> Hit {
    Hit::new(Kind::PersonalData, "personal/address", start..end, 0.75)
}

/// Up to four words of which the last says that it is a street; where it ends. What is also an ordinary word needs a number of
/// three `digits` before it.
fn street(cur: &mut Cursor<'_>, digits: usize) -> Option<usize> {
    let mut end = None;
    for place in 0..5 {
        let from = cur.at;
        let word = word(cur);
        let capital = word.first().is_some_and(|c| c.is_ascii_uppercase() || *c >= 0x80);
        let particle = place > 0 && is(word, &["of", "the", "de", "la", "del", "van", "du", "and"]);
        if !capital && !particle {
            // 5th Avenue.
            cur.at = from;
            let ordinal = cur.eat_while(3, |c| c.is_ascii_digit()) > 0
                && [b"st", b"nd", b"rd", b"th"].iter().any(|end| cur.eat_text(*end));
            if place != 0 || !ordinal {
                break;
            }
        }
        let strong = is(word, STRONG);
        if place > 0 && (strong && digits > 0 || digits > 2 && is(word, WEAK)) {
            end = Some(cur.at);
        } else if end.is_some() {
            // `12 Main Street North`, and no more.
            if is(word, &["N", "S", "E", "W", "NE", "NW", "SE", "SW", "North", "South", "East", "West"]) {
                end = Some(cur.at);
            }
            break;
        }
        let dot = cur.eat(b'.');
        if dot && end == Some(cur.at - 1) && cur.peek() == Some(b',') {
            end = Some(cur.at);
        }
        if !cur.eat(b' ') {
            break;
        }
    }
    end.filter(|_| !cur.starved())
}

/// The name of a street: words that begin with a capital, and small words between them; where it ends. `numbers` may stand in it.
fn name(cur: &mut Cursor<'_>, numbers: bool) -> Option<usize> {
    let mut end = None;
    for _ in 0..7 {
        let word = word(cur);
        let capital = word.first().is_some_and(|c| c.is_ascii_uppercase() || *c >= 0x80);
        let elided = word.get(1) == Some(&b'\'') && word.get(2).is_some_and(u8::is_ascii_uppercase);
        if capital || elided {
            end = Some(cur.at);
        } else if numbers && !word.is_empty() && word.iter().all(u8::is_ascii_digit) {
            // `place du 8 Mai`.
        } else if !is(word, PARTICLES) {
            break;
        }
        // A house's number follows, or the next word.
        let ahead = usize::from(cur.peek() == Some(b'.'));
        if cur.peek_at(ahead) != Some(b' ') || !numbers && cur.peek_at(ahead + 1).is_some_and(|c| c.is_ascii_digit()) {
            break;
        }
        cur.at += ahead + 1;
    }
    end.filter(|_| !cur.starved())
}

/// The number of a house: `12`, `12a`, `36/86`, `12-14`; where it ends.
fn house(cur: &mut Cursor<'_>) -> Option<usize> {
    let from = cur.at;
    let digits = cur.eat_while(4, |c| c.is_ascii_digit());
    let year = digits == 4 && matches!(cur.since(from), [b'1', b'9', ..] | [b'2', b'0', b'0'..=b'3', _]);
    if digits == 0 || year {
        return None;
    }
    if cur.peek_at(1).is_none_or(|c| !c.is_ascii_alphanumeric()) {
        cur.eat_while(1, |c| c.is_ascii_lowercase());
    }
    if matches!(cur.peek(), Some(b'/' | b'-')) && cur.peek_at(1).is_some_and(|c| c.is_ascii_digit()) {
        cur.at += 1;
        cur.eat_while(4, |c| c.is_ascii_digit());
    }
    (!continues(cur)).then_some(cur.at)
}

/// A flat, a suite or a floor behind a street; where it ends.
fn unit(cur: &mut Cursor<'_>) -> Option<usize> {
    cur.eat(b'.');
    cur.eat(b',');
    cur.eat(b' ').then_some(())?;
    if !cur.eat(b'#') {
        let word = word(cur);
        is(word, UNITS).then_some(())?;
        cur.eat(b'.');
        cur.eat(b' ').then_some(())?;
        cur.eat(b'#');
    }
    let len = cur.eat_while(6, |c| c.is_ascii_alphanumeric() || c == b'-');
    let value = cur.since(cur.at - len);
    let plausible = value.iter().any(u8::is_ascii_digit) || matches!(value, [b'A'..=b'Z']);
    (len > 0 && plausible && !cur.peek().is_some_and(|c| c.is_ascii_alphanumeric())).then_some(cur.at)
}

/// What makes an American address whole, behind the street: `, Springfield, IL 62701`; where it ends.
fn town(cur: &mut Cursor<'_>) -> Option<usize> {
    cur.eat(b'.');
    let comma = cur.eat(b',');
    let spaces = cur.eat_while(3, |c| matches!(c, b' ' | b'\n'));
    (comma || spaces > 0).then_some(())?;
    for _ in 0..4 {
        let word = word(cur);
        word.first().filter(|c| c.is_ascii_uppercase()).and(word.get(1))?;
        if cur.eat(b',') {
            break;
        }
        cur.eat(b'.');
        cur.eat(b' ').then_some(())?;
    }
    cur.eat(b' ').then_some(())?;
    state(cur)
}

/// A state of the United States and its postcode: `IL 62701`; where it ends. Behind a town it may stand alone.
fn state(cur: &mut Cursor<'_>) -> Option<usize> {
    let from = cur.at;
    cur.eat_while(3, |c| c.is_ascii_uppercase());
    let state = cur.since(from);
    STATES.split(' ').any(|s| s.as_bytes() == state).then_some(())?;
    if cur.peek().is_some_and(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let end = cur.at;
    if cur.eat(b' ') && cur.eat_while(5, |c| c.is_ascii_digit()) == 5 {
        let short = cur.at;
        if cur.eat(b'-') && cur.eat_while(4, |c| c.is_ascii_digit()) == 4 && !continues(cur) {
            return Some(cur.at);
        }
        cur.at = short;
        if !continues(cur) {
            return Some(short);
        }
    }
    Some(end)
}

/// A state and its postcode where no street stands before them.
pub(super) fn postcode(cur: &mut Cursor<'_>) -> Option<Hit> {
    let start = cur.at;
    let end = state(cur)?;
    (end - start > 7).then(|| Hit::new(Kind::PersonalData, "personal/postcode", start..end, 0.8))
}

/// Whether a number is a part of something longer.
fn continues(cur: &mut Cursor<'_>) -> bool {
    match cur.peek() {
        Some(c) if c.is_ascii_alphanumeric() || matches!(c, b'%' | b'_') => true,
        Some(b'.' | b',' | b':' | b'-' | b'/') => cur.peek_at(1).is_some_and(|c| c.is_ascii_digit()),
        _ => false,
    }
}

/// Letters of Latin scripts, with the signs that stand in names; bounded.
fn word<'a>(cur: &mut Cursor<'a>) -> &'a [u8] {
    let from = cur.at;
    while cur.at - from < 32 {
        let step = match cur.peek() {
            Some(c) if c.is_ascii_alphanumeric() => 1,
            Some(b'-' | b'\'') if cur.at > from => 1,
            // Latin letters beyond ASCII, up to U+017F.
            Some(0xc3..=0xc5) => 2,
            // A dot inside, as in H.No and P.O.
            Some(b'.') if cur.at > from && cur.peek_at(1).is_some_and(|c| c.is_ascii_uppercase()) => 1,
            _ => break,
        };
        cur.at += step;
    }
    cur.since(from)
}

fn is(word: &[u8], list: &[&str]) -> bool {
    let first = word.first();
    list.iter().any(|w| w.as_bytes().first() == first && w.as_bytes() == word)
}

/// Whether a word may lead an address: a cheap look before it is compared with all that do.
fn may_lead(word: &[u8]) -> bool {
    let has = |bits: &[u64; 16], place: usize| bits.get(place >> 6).is_some_and(|bits| bits >> (place & 63) & 1 == 1);
    has(&LEADS, outline(word)) || word.last_chunk().is_some_and(|last| has(&LASTS, last_three(*last)))
}

/// Ten bits that depend on a word's length, its first and its last letter.
const fn outline(word: &[u8]) -> usize {
    match word {
        [first, .., last] => (word.len() & 15) << 6 ^ (*first as usize & 31) << 5 ^ *last as usize & 63,
        _ => 0,
    }
}

/// One bit for the [`outline`] of each word that leads an address by itself.
static LEADS: [u64; 16] = {
    let mut bits = [0; 16];
    let lists = [BEFORE, HOMES, BOXES, &["C"]];
    let mut list = 0;
    while list < lists.len() {
        let mut i = 0;
        while i < lists[list].len() {
            let place = outline(lists[list][i].as_bytes());
            bits[place >> 6] |= 1 << (place & 63);
            i += 1;
        }
        list += 1;
    }
    bits
};

/// Ten bits that depend on three letters.
const fn last_three([a, b, c]: [u8; 3]) -> usize {
    (u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> 22) as usize
}

/// One bit for the last three letters of each of [`ENDS`].
static LASTS: [u64; 16] = {
    let mut bits = [0; 16];
    let mut i = 0;
    while i < ENDS.len() {
        let [.., a, b, c] = ENDS[i].as_bytes() else { panic!("an end has three letters") };
        let place = last_three([*a, *b, *c]);
        bits[place >> 6] |= 1 << (place & 63);
        i += 1;
    }
    bits
};

/// Whether a word is the name of a street with what it is at its end.
fn ends_like_street(word: &[u8]) -> bool {
    let last = word.last();
    ENDS.iter().any(|end| end.as_bytes().last() == last && word.len() > end.len() + 1 && word.ends_with(end.as_bytes()))
}

/// Ends of German, Dutch and Nordic streets that ordinary words do not have.
const ENDS: [&str; 35] = [
    "straße",
    "strasse",
    "str",
    "weg",
    "platz",
    "gasse",
    "allee",
    "damm",
    "pfad",
    "steig",
    "chaussee",
    "-ring",
    "-Ring",
    "-Straße",
    "-Weg",
    "-Platz",
    "-Allee",
    "-Gasse",
    "straat",
    "laan",
    "plein",
    "gracht",
    "dreef",
    "singel",
    "dijk",
    "kade",
    "steeg",
    "gatan",
    "vägen",
    "torget",
    "stigen",
    "vej",
    "katu",
    "baan",
    "boulevard",
];

/// The United States' states and territories.
const STATES: &str = "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA \
     PR RI SC SD TN TX UT VT VI VA WA WV WI WY";

/// Words that stand before the name of a street.
const BEFORE: &[&str] = &[
    "Calle",
    "Avenida",
    "Avda",
    "Av",
    "Plaza",
    "Paseo",
    "Camino",
    "Carrera",
    "Ronda",
    "Via",
    "Viale",
    "Piazza",
    "Corso",
    "Strada",
    "Vicolo",
    "Contrada",
    "Largo",
    "Rua",
    "Travessa",
    "Alameda",
    "ul",
    "ulica",
    "plac",
    "aleja",
    "rue",
    "avenue",
    "boulevard",
    "chemin",
    "impasse",
    "Rue",
    "Piazzale",
    "Borgo",
    "Rambla",
    "Pasaje",
    "al",
    "pl",
    "Stretto",
];

/// Words that stand before the number of a flat or a house.
const HOMES: &[&str] = &["Flat", "Studio", "Unit", "Apartment", "Apt", "H.No", "House"];

/// Words that stand before the number of a box.
const BOXES: &[&str] = &["PO", "P.O", "P.O.", "Postfach", "BP"];

/// French streets, which are written small.
const FRENCH: &[&str] =
    &["rue", "Rue", "avenue", "boulevard", "chemin", "impasse", "allée", "quai", "bd", "route", "cours"];

const PARTICLES: &[&str] = &[
    "de", "la", "le", "les", "du", "des", "del", "los", "las", "da", "do", "dos", "das", "di", "dei", "della", "delle",
    "degli", "el", "e", "y", "von", "van", "der", "den", "san",
];

/// Streets, and nothing else.
const STRONG: &[&str] = &[
    "Street",
    "St",
    "Avenue",
    "Ave",
    "Road",
    "Rd",
    "Lane",
    "Ln",
    "Drive",
    "Dr",
    "Boulevard",
    "Blvd",
    "Court",
    "Ct",
    "Square",
    "Sq",
    "Terrace",
    "Parkway",
    "Pkwy",
    "Highway",
    "Hwy",
    "Circle",
    "Crescent",
    "Close",
    "Way",
    "Place",
    "Pl",
    "Alley",
    "Mews",
    "Marg",
    "Turnpike",
    "Expressway",
    "Nagar",
    "street",
    "avenue",
    "road",
    "lane",
];

/// Ends of streets that are ordinary words as well (after USPS Publication 28, appendix C1).
const WEAK: &[&str] = &[
    "Arcade",
    "Bayou",
    "Beach",
    "Bend",
    "Bluff",
    "Bluffs",
    "Bottom",
    "Branch",
    "Bridge",
    "Brook",
    "Brooks",
    "Burg",
    "Bypass",
    "Camp",
    "Canyon",
    "Cape",
    "Causeway",
    "Center",
    "Centers",
    "Centre",
    "Circles",
    "Cliff",
    "Cliffs",
    "Club",
    "Common",
    "Commons",
    "Corner",
    "Corners",
    "Course",
    "Courts",
    "Cove",
    "Coves",
    "Creek",
    "Crest",
    "Crossing",
    "Crossroad",
    "Curve",
    "Dale",
    "Dam",
    "Divide",
    "Drives",
    "Estate",
    "Estates",
    "Extension",
    "Extensions",
    "Fall",
    "Falls",
    "Ferry",
    "Field",
    "Fields",
    "Flat",
    "Flats",
    "Ford",
    "Fords",
    "Forest",
    "Forge",
    "Forges",
    "Fork",
    "Forks",
    "Fort",
    "Freeway",
    "Garden",
    "Gardens",
    "Gateway",
    "Glen",
    "Glens",
    "Green",
    "Greens",
    "Grove",
    "Groves",
    "Harbor",
    "Harbors",
    "Haven",
    "Heights",
    "Hill",
    "Hills",
    "Hollow",
    "Inlet",
    "Island",
    "Islands",
    "Isle",
    "Junction",
    "Junctions",
    "Key",
    "Keys",
    "Knoll",
    "Knolls",
    "Lake",
    "Lakes",
    "Land",
    "Landing",
    "Light",
    "Lights",
    "Loaf",
    "Lock",
    "Locks",
    "Lodge",
    "Loop",
    "Mall",
    "Manor",
    "Manors",
    "Meadow",
    "Meadows",
    "Mill",
    "Mills",
    "Mission",
    "Motorway",
    "Mount",
    "Mountain",
    "Mountains",
    "Neck",
    "Orchard",
    "Oval",
    "Overpass",
    "Park",
    "Parks",
    "Parkways",
    "Pass",
    "Passage",
    "Path",
    "Pike",
    "Pine",
    "Pines",
    "Plain",
    "Plains",
    "Plaza",
    "Point",
    "Points",
    "Port",
    "Ports",
    "Prairie",
    "Radial",
    "Ramp",
    "Ranch",
    "Rapid",
    "Rapids",
    "Rest",
    "Ridge",
    "Ridges",
    "River",
    "Roads",
    "Route",
    "Row",
    "Rue",
    "Run",
    "Shoal",
    "Shoals",
    "Shore",
    "Shores",
    "Skyway",
    "Spring",
    "Springs",
    "Spur",
    "Spurs",
    "Squares",
    "Station",
    "Stravenue",
    "Stream",
    "Streets",
    "Summit",
    "Throughway",
    "Trace",
    "Track",
    "Trafficway",
    "Trail",
    "Tunnel",
    "Underpass",
    "Union",
    "Unions",
    "Valley",
    "Valleys",
    "Via",
    "Viaduct",
    "View",
    "Views",
    "Village",
    "Villages",
    "Ville",
    "Vista",
    "Walk",
    "Walks",
    "Wall",
    "Ways",
    "Well",
    "Wells",
    "Chowk",
    "Path",
    "Zila",
];

/// Parts of a house.
const UNITS: &[&str] = &[
    "Apt",
    "Apartment",
    "Suite",
    "Ste",
    "Unit",
    "Floor",
    "Fl",
    "Room",
    "Rm",
    "Building",
    "Bldg",
    "Flat",
    "Puerta",
    "Piso",
    "Appartamento",
    "Apto",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_that_leads_passes_the_cheap_look() {
        for word in [BEFORE, HOMES, BOXES, &["C"]].concat() {
            assert!(may_lead(word.as_bytes()), "{word}");
        }
        for end in ENDS {
            assert!(may_lead(format!("Park{end}").as_bytes()), "{end}");
        }
    }
}
