//! A web socket between a browser and an app: bytes both ways, none of them looked at.
//!
//! Invariant: it ends with either side, with the address it came by, and with the server.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::gateway::apps::Visit;

/// Joins the two once both have changed to the protocol, until then.
pub fn begin(
    visit: Visit,
    (ours, theirs): (OnUpgrade, OnUpgrade),
    end: impl Future<Output = ()> + Send + 'static,
) {
    tokio::spawn(async move {
        let _visits = visit;
        let joined = async {
            let (ours, theirs) = tokio::try_join!(ours, theirs)?;
            let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
            // How it ended is nobody's business: each side sees the other go.
            let _ = copy_bidirectional(&mut ours, &mut theirs).await;
            Ok::<_, hyper::Error>(())
        };
        tokio::select! {
            ended = joined => if let Err(error) = ended {
                tracing::trace!("a web socket did not open: {error}");
            },
            () = end => {}
        }
    });
}
