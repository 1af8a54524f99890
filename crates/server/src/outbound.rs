//! What the server itself asks of others over HTTP: providers of sign-ins, and the receivers of webhooks.
//!
//! Knows addresses and bytes, nothing of what is asked or why. Invariants: an address that a user gave leads to the
//! public network only, and the address that was checked is the one that is connected to; no redirect is followed; an
//! answer is waited for and read within bounds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use tokio::sync::OnceCell;
use url::{Host, Url};

/// Longest that anybody is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest that a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most of an answer that is read, in bytes.
const ANSWER_BYTES: usize = 1024 * 1024;

/// How far a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the public network: for what a user named.
    Public,
    /// Any address: for what the operator named.
    Anywhere,
}

/// Why there is no answer. None of these tells what is at an address, beyond that nothing of use is.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("the address leads to a private network")]
    Private,
    #[error("the address is not one that can be asked")]
    Address,
    #[error("nobody answered within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("the answer is longer than 1 MiB")]
    TooLong,
    #[error("no connection came about")]
    Failed(#[source] reqwest::Error),
}

/// The ways out, opened when first one is needed.
#[derive(Debug, Clone, Default)]
pub struct Outbound(Arc<OnceCell<Clients>>);

#[derive(Debug)]
struct Clients {
    public: Client,
    anywhere: Client,
}

impl Clients {
    fn new() -> Result<Self, OutboundError> {
        let client = || {
            Client::builder()
                .timeout(TIMEOUT)
                .connect_timeout(CONNECT_TIMEOUT)
                .redirect(Policy::none())
                .user_agent(concat!("reenact/", env!("CARGO_PKG_VERSION")))
        };
        // A proxy would look names up by itself, and behind it every address is a public one.
        let public = client().no_proxy().dns_resolver(Arc::new(PublicOnly));
        Ok(Self {
            public: public.build().map_err(OutboundError::Failed)?,
            anywhere: client().build().map_err(OutboundError::Failed)?,
        })
    }
}

impl Outbound {
    /// Sends a request and reads the answer, whatever its status.
    pub async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        reach: Reach,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let request = reqwest::Request::try_from(request).map_err(|_| OutboundError::Address)?;
        let clients = self.0.get_or_try_init(async || Clients::new()).await?;
        let client = match reach {
            Reach::Anywhere => &clients.anywhere,
            Reach::Public if is_public_url(request.url()) => &clients.public,
            Reach::Public => return Err(OutboundError::Private),
        };
        let mut answer = client.execute(request).await.map_err(failure)?;
        let mut response = http::Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = answer.headers().clone();
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(failure)? {
            if body.len() + part.len() > ANSWER_BYTES {
                return Err(OutboundError::TooLong);
            }
            body.extend_from_slice(&part);
        }
        response.body(body).map_err(|_| OutboundError::Address)
    }
}

/// Whether an address of a user's may be asked, as far as the address alone tells: a name is looked up when it is asked.
pub fn is_public_url(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_public(IpAddr::V6(address)),
        Some(Host::Domain(name)) => !name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

fn failure(error: reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if inner.is::<NotPublic>() {
            return OutboundError::Private;
        }
        cause = inner.source();
    }
    // The address may hold a secret of whoever gave it.
    if error.is_timeout() { OutboundError::Timeout } else { OutboundError::Failed(error.without_url()) }
}

/// That a name leads nowhere but to private networks.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to a private network")]
struct NotPublic;

/// Looks names up and keeps what is private to itself. What it answers is what is connected to.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> =
                found.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(Box::new(NotPublic) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public network, by the registries of special addresses of the IANA.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is given out; of it, Teredo, other protocols and documentation are no hosts of anybody's.
    let is_special = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x3fff;
    a & 0xe000 == 0x2000 && !is_special
}

/// The address of the old kind that one of the new kind stands for: mapped, translated (NAT64) or tunnelled (6to4).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => Some(join(high, low)),
        [0x64, 0xff9b, .., high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_address_that_hides_where_it_leads_is_seen_through() {
        let private = [
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://[::1]/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://[::ffff:7f00:1]/",
        ];
        for url in private {
            assert!(!is_public_url(&Url::parse(url).unwrap()), "{url}");
        }
        assert!(is_public_url(&Url::parse("https://hooks.example.org/x").unwrap()));
    }

    #[tokio::test]
    async fn a_name_is_refused_by_what_it_leads_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let outbound = Outbound::default();
        // Found in `/etc/hosts`, as a name server's answer would be.
        for host in ["localhost.", "127.0.0.1"] {
            let request = http::Request::get(format!("http://{host}:{port}/")).body(Vec::new()).unwrap();
            let refused = outbound.send(request, Reach::Public).await.unwrap_err();
            assert!(matches!(refused, OutboundError::Private), "{host}: {refused:?}");
        }
        let private = PublicOnly.resolve("localhost".parse().unwrap()).await;
        assert!(private.is_err_and(|error| error.is::<NotPublic>()));
    }
}
