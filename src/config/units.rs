//! Reads quantities with their unit: `20s`, `1m 30s`, `512MiB`.
//!
//! A number without a unit is refused, since 20 might mean seconds or milliseconds.

use std::time::Duration;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A bitrate, in bit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(pub u64);

/// Bit/s in each unit of bitrate.
const RATE: [(&str, u64); 4] =
    [("bit/s", 1), ("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000)];

/// Milliseconds in each unit of time, the longest first.
const TIME: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Bytes in each unit of size (binary by IEC 80000-13, decimal by SI).
const SIZE: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads `90s`, `1m 30s` or `500ms`: whole numbers, each with its unit, the longer unit first.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    const SHAPE: &str = "write a duration with its unit (ms, s, m, h, d), as in 20s or 1m 30s";
    let mut rest = text.trim();
    let mut shorter = TIME.as_slice();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (number, unit, behind) = quantity(rest).ok_or(SHAPE)?;
        let place = shorter.iter().position(|(name, _)| *name == unit).ok_or(SHAPE)?;
        let span = number.checked_mul(shorter[place].1).ok_or("this is too long")?;
        total = total.checked_add(span).ok_or("this is too long")?;
        shorter = &shorter[place + 1..];
        rest = behind;
    }
    if text.trim().is_empty() { Err(SHAPE) } else { Ok(Duration::from_millis(total)) }
}

/// Reads `512MiB` or `30 GB`: a whole number and its unit.
pub(super) fn size(text: &str) -> Result<ByteSize, &'static str> {
    const SHAPE: &str = "write a size with its unit (B, KiB, MiB, GiB, TiB, or kB, MB, GB, TB), as in 512MiB";
    let (number, unit, behind) = quantity(text.trim()).ok_or(SHAPE)?;
    let (_, factor) = SIZE.iter().find(|(name, _)| *name == unit).ok_or(SHAPE)?;
    match number.checked_mul(*factor) {
        _ if !behind.is_empty() => Err(SHAPE),
        Some(bytes) => Ok(ByteSize(bytes)),
        None => Err("this is too large"),
    }
}

/// Reads `8Mbit/s` or `800 kbit/s`: a whole number and its unit.
pub(super) fn bitrate(text: &str) -> Result<BitRate, &'static str> {
    const SHAPE: &str = "write a bitrate with its unit (bit/s, kbit/s, Mbit/s, Gbit/s), as in 8Mbit/s";
    let text = text.trim();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or(SHAPE)?);
    let (_, factor) = RATE.iter().find(|(name, _)| *name == unit.trim_start()).ok_or(SHAPE)?;
    let number = digits.parse::<u64>().map_err(|_| SHAPE)?;
    number.checked_mul(*factor).map(BitRate).ok_or("this is too large")
}

/// Spells a duration as [`duration`] reads it, as in `1m 30s`.
pub(super) fn spell_duration(span: Duration) -> String {
    let mut left = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (unit, millis) in TIME {
        if left >= millis {
            parts.push(format!("{}{unit}", left / millis));
            left %= millis;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Spells a size as [`size`] reads it, in the largest binary unit that it is a multiple of.
pub(super) fn spell_size(bytes: u64) -> String {
    let binary = SIZE.iter().rev().filter(|(unit, _)| unit.ends_with("iB"));
    let largest = binary.copied().find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor));
    let (unit, factor) = largest.unwrap_or(("B", 1));
    format!("{}{unit}", bytes / factor)
}

/// Spells a bitrate as [`bitrate`] reads it.
pub(super) fn spell_bitrate(BitRate(bits): BitRate) -> String {
    let largest = RATE.iter().rev().copied().find(|(_, factor)| bits > 0 && bits.is_multiple_of(*factor));
    let (unit, factor) = largest.unwrap_or(("bit/s", 1));
    format!("{}{unit}", bits / factor)
}

/// The number and the unit at the beginning of `text`, and the rest.
fn quantity(text: &str) -> Option<(u64, &str, &str)> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let rest = rest.trim_start();
    let (unit, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len()));
    Some((digits.parse().ok()?, unit, behind.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("20s", 20_000),
            ("10m", 600_000),
            ("1m 30s", 90_000),
            ("1m30s", 90_000),
            ("1 h", 3_600_000),
            ("500ms", 500),
            ("1d 1ms", 86_400_001),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn no_durations() {
        for text in ["", " ", "20", "s", "1.5s", "-1s", "30s 1m", "1s 1s", "1m, 30s", "90 parsecs", "20S"] {
            assert!(duration(text).is_err_and(|error| error.contains("1m 30s")), "{text}");
        }
        assert!(duration("99999999999999999999d").is_err());
        assert_eq!(duration("999999999999999999d"), Err("this is too long"));
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0B", 0),
            ("512MiB", 512 << 20),
            ("30 GiB", 30 << 30),
            ("5GB", 5_000_000_000),
            ("64KiB", 65_536),
        ] {
            assert_eq!(size(text), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn bitrates() {
        for (text, bits) in [("8Mbit/s", 8_000_000), ("800 kbit/s", 800_000), ("1bit/s", 1)] {
            assert_eq!(bitrate(text), Ok(BitRate(bits)), "{text}");
        }
        for text in ["", "8", "8M", "Mbit/s", "8 Mbit", "-1bit/s", "1.5Mbit/s"] {
            assert!(bitrate(text).is_err_and(|error| error.contains("8Mbit/s")), "{text}");
        }
        assert_eq!(bitrate("99999999999999Gbit/s"), Err("this is too large"));
    }

    #[test]
    fn what_is_spelled_is_read_as_it_was() {
        for text in ["20s", "1m 30s", "500ms", "1d 1ms", "0s"] {
            assert_eq!(spell_duration(duration(text).unwrap()), text);
        }
        for text in ["0B", "512MiB", "30GiB", "64KiB", "5B"] {
            assert_eq!(spell_size(size(text).unwrap().0), text);
        }
        assert_eq!(size(&spell_size(5_000_000_000)), Ok(ByteSize(5_000_000_000)));
        for text in ["8Mbit/s", "800kbit/s", "1bit/s"] {
            assert_eq!(spell_bitrate(bitrate(text).unwrap()), text);
        }
    }

    #[test]
    fn no_sizes() {
        for text in ["", "512", "MiB", "1.5GiB", "1GiB 1MiB", "12mib", "10Mbit"] {
            assert!(size(text).is_err_and(|error| error.contains("512MiB")), "{text}");
        }
        assert_eq!(size("99999999999TiB"), Err("this is too large"));
    }
}
