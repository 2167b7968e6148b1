//! Codes of letters and digits that are no country's: vehicles, banks, prescribers, health plans, travel documents, wallets.

use aws_lc_rs::digest;
use data_encoding::HEXLOWER_PERMISSIVE;

use super::{
    around::{Around, topic},
    national::fits,
};

/// The code that a run is, and how surely.
pub(super) fn code(run: &[u8], around: impl FnOnce() -> Around) -> Option<(&'static str, f32)> {
    match run.len() {
        8 | 11 if is_bic(run) => around().says(topic::SWIFT).then_some(("personal/bic", 0.95)),
        9 if is_dea(run) => around().says(topic::MEDICAL).then_some(("personal/medical-license", 0.95)),
        11 | 13 if is_mbi(run) => Some(("personal/medicare", 0.9)),
        16 if fits(run, b"XXXXX999999XX9AA") && is_uk_licence(run) => Some(("personal/driver-license", 0.85)),
        17 if is_vin(run) => Some(("personal/vehicle", 0.9)),
        26..=90 if is_wallet(run) => Some(("personal/wallet", 0.95)),
        _ => None,
    }
}

/// The last line of a machine-readable passport or card: forms, dates and check digits as ICAO 9303 has them.
pub(super) fn is_travel_line(line: &[u8]) -> bool {
    let proven = |from: usize, to: usize| {
        let check = line.get(to).map(|c| if *c == b'<' { 0 } else { u32::from(c.wrapping_sub(b'0')) });
        line.get(from..to).is_some_and(|field| check == Some(travel_check(field)))
    };
    let plain = line.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == b'<');
    plain
        && match line.len() {
            36 | 44 => proven(0, 9) && proven(13, 19) && proven(21, 27),
            30 => proven(0, 6) && proven(8, 14),
            _ => false,
        }
}

/// Weights 7, 3, 1 over digits, letters from 10 on, and `<` for nothing.
fn travel_check(field: &[u8]) -> u32 {
    let value = |c: &u8| match c {
        b'0'..=b'9' => u32::from(c - b'0'),
        b'A'..=b'Z' => u32::from(c - b'A') + 10,
        _ => 0,
    };
    field.iter().zip([7, 3, 1].into_iter().cycle()).map(|(c, w)| value(c) * w).sum::<u32>() % 10
}

/// A bank's code: six letters of which the last two name a country, two signs, and perhaps three for a branch (ISO 9362).
pub(super) fn is_bic(run: &[u8]) -> bool {
    (fits(run, b"AAAAAAXX") || fits(run, b"AAAAAAXXXXX"))
        && run.get(4..6).is_some_and(|c| COUNTRIES.as_chunks::<2>().0.iter().any(|k| k == c))
}

/// US Drug Enforcement Administration: a kind, a letter of the name, seven digits of which the last is a check.
fn is_dea(run: &[u8]) -> bool {
    let digit = |at: usize| run.get(at).map_or(0, |c| u32::from(c.wrapping_sub(b'0')));
    (fits(run, b"AA9999999") || fits(run, b"A99999999"))
        && (digit(2) + digit(4) + digit(6) + 2 * (digit(3) + digit(5) + digit(7))) % 10 == digit(8)
}

/// US Medicare beneficiaries: eleven places, each with its own kind, no letter that looks like a digit (CMS, 2018).
fn is_mbi(run: &[u8]) -> bool {
    let plain: Vec<u8> = run.iter().copied().filter(|c| *c != b'-').collect();
    let dashes = run.len() == 11 || fits(run, b"XXXX-XXX-XXXX");
    dashes
        && fits(&plain, b"9AX9AX9AA99")
        && !plain.iter().any(|c| b"SLOIBZ".contains(c))
        && plain.first() != Some(&b'0')
}

/// United Kingdom: five of the surname, a date of birth in disguise, initials, and three of no meaning.
fn is_uk_licence(run: &[u8]) -> bool {
    let digit = |at: usize| run.get(at).map_or(0, |c| c.wrapping_sub(b'0'));
    let month = digit(6) % 5 * 10 + digit(7);
    let day = digit(8) * 10 + digit(9);
    let name = run.get(..5).unwrap_or_default();
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && name.first().is_some_and(u8::is_ascii_uppercase)
        && name.iter().all(|c| c.is_ascii_uppercase() || *c == b'9')
}

/// A vehicle's number: no I, O or Q, and a check at the ninth place (49 CFR 565.15).
fn is_vin(run: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |c: &u8| match c {
        b'0'..=b'9' => u32::from(c - b'0'),
        b'A'..=b'H' => u32::from(c - b'A') + 1,
        b'J'..=b'R' => u32::from(c - b'J') + 1,
        _ => u32::from(c.wrapping_sub(b'S')) + 2,
    };
    let sum: u32 = run.iter().zip(WEIGHTS).map(|(c, w)| value(c) * w).sum();
    let check = match sum % 11 {
        10 => b'X',
        digit => b'0' + digit as u8,
    };
    may_be_vin(run) && run.get(8) == Some(&check) && run.iter().any(u8::is_ascii_uppercase)
}

/// Whether a vehicle's number may look like this, its check aside.
pub(super) fn may_be_vin(run: &[u8]) -> bool {
    fits(run, b"XXXXXXXXXXXXXXXXX") && !run.iter().any(|c| b"IOQ".contains(c)) && run.iter().any(u8::is_ascii_digit)
}

/// An address of a cryptocurrency that proves itself.
fn is_wallet(run: &[u8]) -> bool {
    match run {
        [b'0', b'x', rest @ ..] if rest.len() == 40 => is_ethereum(rest),
        [b'1' | b'3' | b'L' | b'M' | b'D' | b'T' | b'X', ..] if run.len() <= 35 => is_base58(run),
        _ => is_bech32(run),
    }
}

/// Ethereum: forty hexadecimal digits; where their case differs it is a checksum (EIP-55).
fn is_ethereum(hex: &[u8]) -> bool {
    if !hex.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let mixed = hex.iter().any(u8::is_ascii_lowercase) && hex.iter().any(u8::is_ascii_uppercase);
    if !mixed {
        return hex.iter().any(u8::is_ascii_digit)
            && HEXLOWER_PERMISSIVE.decode(hex).is_ok_and(|bytes| bytes.iter().any(|b| *b != 0));
    }
    let hash = super::keccak::keccak256(&hex.to_ascii_lowercase());
    let nibbles = hash.iter().flat_map(|b| [b >> 4, b & 15]);
    hex.iter().zip(nibbles).all(|(c, n)| !c.is_ascii_alphabetic() || c.is_ascii_uppercase() == (n >= 8))
}

/// Bitcoin and its kin: 25 bytes, the last four of which are those of a hash of a hash of the others.
fn is_base58(run: &[u8]) -> bool {
    let mut bytes = [0u8; 25];
    for c in run {
        let Some(mut carry) = BASE58.iter().position(|b| b == c) else { return false };
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 255) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let (body, check) = bytes.split_at(21);
    let hash = |data: &[u8]| digest::digest(&digest::SHA256, data);
    // Bitcoin, its scripts, Litecoin and its scripts, Dogecoin, Tron, Dash.
    matches!(body.first(), Some(0 | 5 | 0x30 | 0x32 | 0x1e | 0x41 | 0x4c))
        && hash(hash(body).as_ref()).as_ref().starts_with(check)
}

/// Addresses with a readable prefix and a checksum over all of it (BIP 173, BIP 350).
fn is_bech32(run: &[u8]) -> bool {
    let lower = run.to_ascii_lowercase();
    let one_case = lower == run || run.to_ascii_uppercase() == run;
    let Some(prefix) = ["bc", "tb", "ltc", "cosmos", "addr"]
        .iter()
        .find(|p| lower.strip_prefix(p.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'1')))
    else {
        return false;
    };
    let mut values: Vec<u32> = prefix.bytes().map(|c| u32::from(c >> 5)).collect();
    values.push(0);
    values.extend(prefix.bytes().map(|c| u32::from(c & 31)));
    for c in lower.iter().skip(prefix.len() + 1) {
        let Some(value) = BECH32.iter().position(|b| b == c) else { return false };
        values.push(value as u32);
    }
    let mut check = 1u32;
    for value in values {
        let top = check >> 25;
        check = (check & 0x1ff_ffff) << 5 ^ value;
        for (i, generator) in
            [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3u32].into_iter().enumerate()
        {
            if top >> i & 1 == 1 {
                check ^= generator;
            }
        }
    }
    one_case && matches!(check, 1 | 0x2bc8_30a3)
}

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Countries of ISO 3166-1 and Kosovo, two letters each.
const COUNTRIES: &[u8] = b"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";

#[cfg(test)]
mod tests;
