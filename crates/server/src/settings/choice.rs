//! Settings that are one of a few words, and those that are networks or secrets.
//!
//! Knows no setting by name. Invariants: a word that is none of the set is refused; a secret is never shown.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::value::Show;
use crate::secrets::Secret;

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(()),
                }
            }
        }

        impl Show for $name {
            fn show(&self) -> String {
                let word = match self { $(Self::$variant => $word),+ };
                format!("\"{word}\"")
            }
        }
    };
}

choice!(
    /// Who may make an account by themselves.
    SignUp {
        /// Nobody.
        Closed = "closed",
        Open = "open"
    }
);

choice!(
    /// Whom a provider of sign-ins lets in.
    OidcAccounts {
        /// Who has an account with the same e-mail address, for which somebody vouches.
        Existing = "existing",
        /// Everybody whom the provider knows.
        New = "new"
    }
);

choice!(
    /// What becomes of what is not safe everywhere.
    Unsafe { Refuse = "refuse", Allow = "allow" }
);

/// Networks, written as addresses or as `10.0.0.0/8`, with commas between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for Networks {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let read = |part: &str| part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from));
        parts.map(|part| read(part).map_err(|_| ())).collect::<Result<_, _>>().map(Self)
    }
}

impl Show for Networks {
    fn show(&self) -> String {
        let networks: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        format!("\"{}\"", networks.join(", "))
    }
}

/// A secret that the server was told.
#[derive(Debug, Clone)]
pub struct Hidden(pub Secret);

impl FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Secret::new(text.to_owned())))
    }
}

impl Show for Hidden {
    fn show(&self) -> String {
        if self.0.expose().is_empty() { "\"\"".to_owned() } else { "\"***\"".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_addresses_or_ranges() {
        let networks: Networks = "127.0.0.1, 10.0.0.0/8,::1".parse().unwrap();
        for inside in ["127.0.0.1", "10.9.8.7", "::1"] {
            assert!(networks.contains(inside.parse().unwrap()), "{inside}");
        }
        assert!(!networks.contains("127.0.0.2".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Networks>().is_err() && "proxy".parse::<Networks>().is_err());
        assert!("".parse::<Networks>().unwrap().is_empty());
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!("s3cret".parse::<Hidden>().unwrap().show(), "\"***\"");
    }
}
