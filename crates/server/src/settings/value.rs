//! Values of settings as people write them: `64 MiB`, `15m`, a path.
//!
//! Knows no setting by name. Invariant: what [`show`] writes, [`parse`] reads back.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use spec::handler::interpreter::InterpreterName;

use crate::error::Error;

/// A number of bytes, written with a unit: `512 KiB`, `64 MiB`, `4 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// A length of time, written with a unit: `250ms`, `60s`, `15m`, `1h`, `30d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub Duration);

/// How clients of the Hub send large files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LargeFiles {
    /// Apart from the commit where the client is known to do so.
    Auto,
    Apart,
    InCommit,
}

/// Interpreters by the names under which models ask for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interpreters(pub BTreeMap<InterpreterName, PathBuf>);

/// The GPUs that models may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gpu {
    None,
    All,
    Numbered(Vec<u32>),
}

/// Reads the value of a setting.
pub(super) fn parse<T: FromStr>(name: &'static str, text: &str) -> Result<T, Error> {
    text.trim().parse().map_err(|_| Error::Setting {
        name,
        value: text.to_owned(),
        wanted: match std::any::type_name::<T>() {
            what if what.ends_with("SocketAddr") => "an address and a port, such as `127.0.0.1:8484`",
            what if what.ends_with("Bytes") => "a size, such as `64 MiB`",
            what if what.ends_with("Seconds") => "a time, such as `60s`, `15m` or `30d`",
            what if what.ends_with("Interpreters") => {
                "names and whole paths, such as `debian=/usr/bin/python3`"
            }
            what if what.ends_with("Gpu") => "`none`, `all`, or numbers, such as `0,1`",
            what if what.ends_with("SignUp") => "`closed` or `open`",
            what if what.ends_with("OidcAccounts") => "`existing` or `new`",
            what if what.ends_with("Unsafe") => "`refuse` or `allow`",
            what if what.ends_with("Networks") => {
                "a list of addresses or networks, such as `10.0.0.0/8, ::1`"
            }
            what if what.ends_with("LargeFiles") => "`auto`, `apart` or `in-commit`",
            _ => "a whole number",
        },
    })
}

/// Writes a value as the file holds it.
pub(super) fn show<T: Show>(value: &T) -> String {
    value.show()
}

/// How a value is written in the file.
pub(super) trait Show {
    fn show(&self) -> String;
}

impl Show for usize {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for String {
    fn show(&self) -> String {
        toml::Value::String(without_password(self)).to_string()
    }
}

impl Show for PathBuf {
    fn show(&self) -> String {
        toml::Value::String(self.display().to_string()).to_string()
    }
}

impl Show for std::net::SocketAddr {
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Show for LargeFiles {
    fn show(&self) -> String {
        let text = match self {
            Self::Auto => "auto",
            Self::Apart => "apart",
            Self::InCommit => "in-commit",
        };
        format!("\"{text}\"")
    }
}

impl FromStr for LargeFiles {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "auto" => Ok(Self::Auto),
            "apart" => Ok(Self::Apart),
            "in-commit" => Ok(Self::InCommit),
            _ => Err(()),
        }
    }
}

impl Show for Interpreters {
    fn show(&self) -> String {
        let words: Vec<_> =
            self.0.iter().map(|(name, program)| format!("{name}={}", program.display())).collect();
        toml::Value::String(words.join(", ")).to_string()
    }
}

impl FromStr for Interpreters {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let one = |word: &str| {
            let (name, program) = word.split_once('=').ok_or(())?;
            let program = PathBuf::from(program.trim());
            let name = name.trim().parse().map_err(|_| ())?;
            if program.is_absolute() { Ok((name, program)) } else { Err(()) }
        };
        words.map(one).collect::<Result<_, ()>>().map(Self)
    }
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::All => f.write_str("all"),
            Self::Numbered(numbers) => {
                let words: Vec<_> = numbers.iter().map(u32::to_string).collect();
                f.write_str(&words.join(","))
            }
        }
    }
}

impl Show for Gpu {
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl FromStr for Gpu {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "none" => Ok(Self::None),
            "all" => Ok(Self::All),
            _ => {
                let numbers = text.split(',').map(|word| word.trim().parse().map_err(|_| ()));
                numbers.collect::<Result<_, ()>>().map(Self::Numbered)
            }
        }
    }
}

impl Show for Bytes {
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Show for Seconds {
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const TIMES: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl FromStr for Bytes {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        number_and_unit(text, &SIZES).map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = SIZES.iter().find(|(_, size)| self.0 != 0 && self.0.is_multiple_of(*size));
        let (unit, size) = largest.unwrap_or(&("B", 1));
        write!(f, "{} {unit}", self.0 / size)
    }
}

impl FromStr for Seconds {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        number_and_unit(text, &TIMES).map(|ms| Self(Duration::from_millis(ms)))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let largest = TIMES.iter().rev().find(|(_, size)| ms != 0 && ms.is_multiple_of(u128::from(*size)));
        let (unit, size) = largest.unwrap_or(&("s", 1000));
        write!(f, "{}{unit}", ms / u128::from(*size))
    }
}

fn number_and_unit(text: &str, units: &[(&str, u64)]) -> Result<u64, ()> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| ())?;
    let (_, size) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim())).ok_or(())?;
    number.checked_mul(*size).ok_or(())
}

/// A connection address without the password in it.
fn without_password(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(mut url) if url.password().is_some() => {
            let _ = url.set_password(Some("***"));
            url.to_string()
        }
        _ => text.to_owned(),
    }
}
