//! Receipts: a signed statement of what a model answered to what.
//!
//! Keeps nothing: whoever asks for a receipt has the only copy. Invariants: a receipt states the tensors that the
//! model was given and those that were told, after they were rounded; it names nobody to whom a link hides it.

use std::sync::Arc;

use spec::frame::IndexedTensor;
use spec::limits;
use spec::receipt::{Answerer, Blunted, Hold, Receipt, Runtime, Tensors};
use store::clock;

use super::endpoints::predict::{Open, Predicted};
use super::keys;
use crate::app::App;
use crate::error::Error;
use crate::predict::blunt::Blunt;
use crate::text;

/// The receipt of one answer, as it is handed out.
pub async fn write(
    app: &App,
    open: &Open,
    input: &[IndexedTensor],
    predicted: &Predicted,
) -> Result<String, Error> {
    let live = Arc::clone(&predicted.live);
    let (input, output) = (input.to_vec(), predicted.answer.tensors.clone());
    let n_bytes: usize = input.iter().chain(&output).map(|tensor| tensor.data.len()).sum();
    let digest = move || {
        let schema = &live.schema;
        let input = Tensors::of(&schema.inputs, &input, Hold::DigestAlone);
        (input, Tensors::of(&schema.outputs, &output, Hold::Bytes))
    };
    let (input, output) = match n_bytes > limits::AT_ONCE_BYTES {
        true => {
            let digested = tokio::task::spawn_blocking(digest).await;
            digested.map_err(|_| Error::Internal("digest an answer"))?
        }
        false => digest(),
    };
    let (target, hello) = (&predicted.live.target, predicted.live.hello());
    let receipt = Receipt {
        model: Answerer {
            repository: open.repository(),
            revision: target.revision,
            weights: target.weights,
            environment: target.environment.clone(),
        },
        input,
        output,
        runtime: Runtime { backend: hello.backend.clone(), version: hello.version.clone() },
        stability: hello.stability.into(),
        blunted: blunted(open.blunt()),
        time: text::rfc3339(clock::now_ms()),
    };
    keys::signing(app).await?.seal(receipt).map_err(|_| Error::Internal("write a receipt"))
}

fn blunted(blunt: Blunt) -> Option<Blunted> {
    let is_blunt = blunt != Blunt::default();
    is_blunt.then_some(Blunted { round: blunt.n_decimals, top_k: blunt.top_k })
}
