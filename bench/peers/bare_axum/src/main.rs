//! What HTTP and JSON alone cost: one thread, no rights, no schema, no model.
//!
//! Takes the body that the inference protocol takes and answers with the size of what it read, so that the
//! reading cannot be left out. The first argument is the port.

use std::error::Error;
use std::net::Ipv4Addr;

use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Request {
    inputs: Vec<Tensor>,
}

#[derive(Deserialize)]
struct Tensor {
    #[serde(rename = "name")]
    _name: String,
    shape: Vec<usize>,
    data: Vec<f32>,
}

#[derive(Serialize)]
struct Answer {
    n_values: usize,
    n_wanted: usize,
    sum: f32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("give a port")?.parse()?;
    let router = Router::new().route("/ready", get(|| async { "ready" })).route("/predict", post(predict));
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(axum::serve(listener, router).await?)
    })
}

async fn predict(Json(request): Json<Request>) -> Json<Answer> {
    let values = || request.inputs.iter().flat_map(|tensor| &tensor.data);
    let n_wanted = request.inputs.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
    Json(Answer { n_values: values().count(), n_wanted, sum: values().sum() })
}
