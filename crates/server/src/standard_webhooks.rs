//! The form in which something is sent to a webhook: Standard Webhooks, version 1.
//!
//! Knows a message, not what it tells. Invariant: what is sent is signed together with its id and its time, so that
//! nobody can send it again unnoticed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::header::CONTENT_TYPE;

use crate::outbound::{Outbound, OutboundError, Reach};
use crate::secrets;

/// Something to send.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The same for each attempt.
    pub id: &'a str,
    pub url: &'a str,
    /// JSON.
    pub body: &'a str,
    /// Seconds since 1970.
    pub now_s: i64,
}

/// Sends a message; the HTTP status that came back.
pub async fn send(
    outbound: &Outbound,
    key: &[u8],
    message: &Message<'_>,
    reach: Reach,
) -> Result<u16, OutboundError> {
    let request = signed(key, message).map_err(|_| OutboundError::Address)?;
    Ok(outbound.send(request, reach).await?.status().as_u16())
}

fn signed(key: &[u8], message: &Message<'_>) -> Result<Request<Vec<u8>>, http::Error> {
    let Message { id, url, body, now_s } = message;
    let text = format!("{id}.{now_s}.{body}");
    let signature = format!("v1,{}", STANDARD.encode(secrets::sign_bytes(key, text.as_bytes())));
    Request::post(*url)
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", *id)
        .header("webhook-timestamp", *now_s)
        .header("webhook-signature", signature)
        .body(body.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_the_specification_says() {
        // The example of the reference libraries.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            url: "https://example.org/",
            body: "{\"test\": 2432232314}",
            now_s: 1_614_265_330,
        };
        let request = signed(&key, &message).unwrap();
        let signature = request.headers()["webhook-signature"].to_str().unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
