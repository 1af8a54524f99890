//! Open Inference Protocol V2 over gRPC, with health checks and reflection, on the port of everything else.
//!
//! Source: the protocol's gRPC specification; `tritonclient` is the client it is tried with. A model's name is
//! `owner/name`, or `r/SECRET` for what a link leads to; a token comes as `authorization: Bearer …` in the metadata.
//! Invariants: who may ask, queues, budgets and counting are those of the HTTP doors, by the same calls; an answer is
//! told before the client's deadline or not at all.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use prost::Message;
use spec::frame::IndexedTensor;
use spec::tensor::TensorSpec;
use tonic::Status;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::server::Grpc;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::Service;

use super::receipt::Wanted;
use super::{Name, name_model, parse, platform};
use crate::app::App;
use crate::error::Error;
use crate::gateway::live::Names;
use crate::ops::endpoints::predict::{self, Predicted};
use crate::predict::tensors::{self, Raw};
use codec::{Bounded, Whole};
use message::{InferRequest, InferResponse, InferTensor, ModelMetadata, ModelRequest, Nothing, Parameter};
use message::{ServerMetadata, TensorMetadata, Yes};

mod codec;
mod contents;
mod message;
mod status;
pub mod watch;

/// What reflection tells of our own service.
const DESCRIPTOR: &[u8] = include_bytes!("../../../proto/inference.bin");
/// The service that health checks may name, besides none and a model.
const SERVICE: &str = "inference.GRPCInferenceService";
/// The header by which a client says how long it waits.
const TIMEOUT: &str = "grpc-timeout";

/// One call, taken apart.
struct Asked<M> {
    metadata: HeaderMap,
    message: M,
    /// How long the message was.
    n_bytes: usize,
    /// How long the client waits; none where it does not say.
    patience: Option<Duration>,
}

/// What a method answers, and the headers that name what answered.
struct Told<M> {
    message: M,
    metadata: HeaderMap,
}

impl<M> From<M> for Told<M> {
    fn from(message: M) -> Self {
        Self { message, metadata: HeaderMap::new() }
    }
}

pub async fn server_live(State(app): State<Arc<App>>, request: Request) -> Response {
    unary(&app, request, async |_, _: Asked<Nothing>| Ok(Yes { is_so: true }.into())).await
}

pub async fn server_ready(State(app): State<Arc<App>>, request: Request) -> Response {
    unary(&app, request, async |_, _: Asked<Nothing>| Ok(Yes { is_so: true }.into())).await
}

pub async fn server_metadata(State(app): State<Arc<App>>, request: Request) -> Response {
    unary(&app, request, async |_, _: Asked<Nothing>| {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(ServerMetadata { name: "reenact".to_owned(), version, extensions: Vec::new() }.into())
    })
    .await
}

pub async fn model_ready(State(app): State<Arc<App>>, request: Request) -> Response {
    unary(&app, request, is_model_ready).await
}

pub async fn model_metadata(State(app): State<Arc<App>>, request: Request) -> Response {
    unary(&app, request, described).await
}

pub async fn model_infer(State(app): State<Arc<App>>, request: Request) -> Response {
    unary(&app, request, infer).await
}

/// Of the server, of our service by its name, or of a model by its own.
pub async fn check_health(State(app): State<Arc<App>>, request: Request) -> Response {
    unary(&app, request, health).await
}

/// A method that nobody here knows.
pub async fn unknown_method() -> Response {
    Status::unimplemented("there is no such method; reflection lists those there are").into_http::<Body>()
}

pub async fn reflect(request: Request) -> Response {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTOR)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    match builder.build_v1() {
        Ok(mut service) => served(service.call(request).await),
        Err(_) => status::of(&Error::Internal("read the description of a service")).into_http::<Body>(),
    }
}

/// The same for clients that know reflection by its older name.
pub async fn reflect_alpha(request: Request) -> Response {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTOR)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    match builder.build_v1alpha() {
        Ok(mut service) => served(service.call(request).await),
        Err(_) => status::of(&Error::Internal("read the description of a service")).into_http::<Body>(),
    }
}

fn served(answer: Result<http::Response<tonic::body::Body>, std::convert::Infallible>) -> Response {
    match answer {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// Answers a call of one message with one message, within the time that the client gives.
async fn unary<M, R, F>(
    app: &Arc<App>,
    request: Request,
    method: impl Fn(Arc<App>, Asked<M>) -> F,
) -> Response
where
    M: Bounded + 'static,
    R: Message + 'static,
    F: Future<Output = Result<Told<R>, Error>>,
{
    let limit = usize::try_from(app.settings.predict_limit.0).unwrap_or(usize::MAX);
    let patience = request.headers().get(TIMEOUT).and_then(|value| patience(value.to_str().ok()?));
    let service = tower::service_fn(|request: tonic::Request<Bytes>| {
        let (metadata, _, bytes) = request.into_parts();
        let (app, n_bytes, method) = (Arc::clone(app), bytes.len(), &method);
        let answer = async move {
            let message = parse(n_bytes, move || codec::read(bytes)).await?;
            method(app, Asked { metadata: metadata.into_headers(), message, n_bytes, patience }).await
        };
        async move {
            let told = match patience {
                None => answer.await,
                Some(patience) => tokio::time::timeout(patience, answer)
                    .await
                    .unwrap_or_else(|_| Err(Error::PredictTimeout(format!("{patience:?}")))),
            };
            let Told { message, metadata } = told.map_err(|error| status::of(&error))?;
            Ok(tonic::Response::from_parts(
                MetadataMap::from_headers(metadata),
                message,
                http::Extensions::new(),
            ))
        }
    });
    let mut grpc = Grpc::new(Whole::<R>::default())
        .max_decoding_message_size(limit)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let mut response = grpc.unary(service, request).await.map(Body::new);
    status::note_guess(&mut response);
    response
}

/// What `grpc-timeout` says: at most eight digits and a unit. What says nothing is read over, as the protocol has it.
fn patience(value: &str) -> Option<Duration> {
    let (number, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| is_number)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

impl Name {
    /// The endpoint that a model's name means.
    fn of_model(model: &str) -> Result<Self, Error> {
        let unknown = || Error::NotFound {
            what: "model by this name; models are called `owner/name` here:",
            name: model.chars().take(200).collect(),
        };
        let (owner, name) = model.split_once('/').ok_or_else(unknown)?;
        // No account is called so.
        if owner == "r" {
            return Ok(Self { owner: String::new(), name: String::new(), link: Some(name.to_owned()) });
        }
        let name = Self { owner: owner.to_owned(), name: name.to_owned(), link: None };
        name.full().parse::<spec::name::RepositoryName>().map_err(|_| unknown())?;
        Ok(name)
    }
}

async fn is_model_ready(app: Arc<App>, asked: Asked<ModelRequest>) -> Result<Told<Yes>, Error> {
    let ModelRequest { name, version } = asked.message;
    let now = Name::of_model(&name)?.described(&app, &asked.metadata, named_version(&version)).await?;
    Ok(Yes { is_so: now.is_servable }.into())
}

async fn health(app: Arc<App>, asked: Asked<HealthCheckRequest>) -> Result<Told<HealthCheckResponse>, Error> {
    let status = standing(&app, &asked.metadata, &asked.message.service).await?;
    Ok(HealthCheckResponse { status: status.into() }.into())
}

/// How the server, our service or a model stands.
async fn standing(app: &App, metadata: &HeaderMap, service: &str) -> Result<ServingStatus, Error> {
    let is_serving = match service {
        "" | SERVICE => true,
        model => Name::of_model(model)?.described(app, metadata, None).await?.is_servable,
    };
    Ok(if is_serving { ServingStatus::Serving } else { ServingStatus::NotServing })
}

async fn described(app: Arc<App>, asked: Asked<ModelRequest>) -> Result<Told<ModelMetadata>, Error> {
    let ModelRequest { name, version } = asked.message;
    let wanted = (0, named_version(&version));
    let open = Name::of_model(&name)?.open_version(&app, &asked.metadata, wanted).await?;
    let served = open.live.target.revision.to_string();
    let tensors = |specs: &[TensorSpec]| specs.iter().map(tensor_metadata).collect();
    let schema = &open.live.schema;
    let message = ModelMetadata {
        name,
        versions: vec![served],
        platform: platform(&open.live).to_owned(),
        inputs: tensors(&schema.inputs),
        outputs: tensors(&schema.outputs),
    };
    Ok(Told { message, metadata: named(open.names()) })
}

async fn infer(app: Arc<App>, asked: Asked<InferRequest>) -> Result<Told<InferResponse>, Error> {
    let (message, n_bytes) = (asked.message, asked.n_bytes);
    let receipt = Wanted::by_header(&asked.metadata);
    let wanted = (n_bytes, named_version(&message.model_version));
    let open = Name::of_model(&message.model_name)?.open_version(&app, &asked.metadata, wanted).await?;
    let open = asked.patience.into_iter().fold(open, predict::Open::within);
    let live = Arc::clone(&open.live);
    let (message, given, wanted) = parse(n_bytes, move || {
        let given = read(&live.schema, &message)?;
        let wanted: Result<Vec<u16>, _> =
            message.outputs.iter().map(|output| tensors::output_index(&live.schema, &output.name)).collect();
        Ok((message, given, wanted?))
    })
    .await?;
    let predicted = predict::infer(&app, &open, &given).await?;
    let receipt = receipt.write(&app, &open, &given, &predicted).await?;
    let metadata = named(predicted.names());
    let mut told = parse(predicted.n_bytes(), move || Ok(write(message, &wanted, &predicted))).await?;
    told.parameters.extend(receipt.map(|receipt| ("receipt".to_owned(), Parameter::text(receipt))));
    Ok(Told { message: told, metadata })
}

/// The answer, in the form in which the values of the request came.
fn write(asked: InferRequest, wanted: &[u16], predicted: &Predicted) -> InferResponse {
    let is_raw = !asked.raw_input_contents.is_empty() || asked.inputs.is_empty();
    let outputs = predicted.answer.tensors.iter();
    let chosen: Vec<&IndexedTensor> = match wanted.is_empty() {
        true => outputs.collect(),
        false => wanted.iter().filter_map(|index| outputs.clone().find(|t| t.index == *index)).collect(),
    };
    let mut told = InferResponse {
        model_name: asked.model_name,
        model_version: predicted.live.target.revision.to_string(),
        id: asked.id,
        ..InferResponse::default()
    };
    // A message holds all of its outputs in one form.
    let typed: Option<Vec<_>> = match is_raw {
        true => None,
        false => chosen.iter().map(|tensor| contents::from_raw(tensor)).collect(),
    };
    for (place, tensor) in chosen.iter().enumerate() {
        let spec = predicted.live.schema.outputs.get(usize::from(tensor.index));
        told.outputs.push(InferTensor {
            name: spec.map(|spec| spec.name.clone()).unwrap_or_default(),
            datatype: tensor.datatype.to_string(),
            shape: tensor.shape.iter().map(|n| i64::try_from(*n).unwrap_or(i64::MAX)).collect(),
            contents: typed.as_ref().and_then(|typed| typed.get(place).cloned()),
            ..InferTensor::default()
        });
    }
    if typed.is_none() {
        told.raw_output_contents = chosen.iter().map(|tensor| tensor.data.clone()).collect();
    }
    told
}

/// The inputs, whichever of the two forms their values came in.
fn read(schema: &spec::schema::Schema, message: &InferRequest) -> Result<Vec<IndexedTensor>, Error> {
    let parameters = message.inputs.iter().map(|input| &input.parameters);
    let parameters = parameters.chain(message.outputs.iter().map(|output| &output.parameters));
    tensors::refuse_parameters(parameters.flat_map(|parameters| parameters.keys()).map(String::as_str))?;
    let (n_raw, n_inputs) = (message.raw_input_contents.len(), message.inputs.len());
    if n_raw > 0 && n_raw != n_inputs {
        return Err(Error::BadInput(format!("raw values of {n_raw} inputs came, for {n_inputs} inputs")));
    }
    let mut raw = Vec::with_capacity(n_inputs.min(spec::limits::REQUEST_TENSORS));
    for (place, input) in message.inputs.iter().enumerate() {
        let data = match (message.raw_input_contents.get(place), &input.contents) {
            (Some(data), None) => data.clone(),
            (None, Some(contents)) => contents::to_raw(&input.name, &input.datatype, contents)?,
            (Some(_), Some(_)) => {
                let both = format!("input `{}` has both raw and typed values; send one", input.name);
                return Err(Error::BadInput(both));
            }
            (None, None) => return Err(Error::BadInput(format!("input `{}` has no data", input.name))),
        };
        raw.push(Raw { name: &input.name, datatype: &input.datatype, shape: &input.shape, data });
    }
    Ok(tensors::read_raw(schema, &raw)?)
}

fn tensor_metadata(spec: &TensorSpec) -> TensorMetadata {
    TensorMetadata { name: spec.name.clone(), datatype: spec.datatype.to_string(), shape: spec.shape.clone() }
}

/// The version that a message names; none where it names none.
fn named_version(version: &str) -> Option<&str> {
    Some(version).filter(|version| !version.is_empty())
}

fn named(names: &Names) -> HeaderMap {
    let mut headers = HeaderMap::new();
    name_model(names, &mut headers);
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_a_unit() {
        assert_eq!(patience("250m"), Some(Duration::from_millis(250)));
        assert_eq!(patience("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for text in ["", "m", "100000000S", "1x", "-1S", "1é", "+1S"] {
            assert_eq!(patience(text), None, "{text}");
        }
    }

    #[test]
    fn a_models_name_says_which_endpoint_is_meant() {
        assert_eq!(Name::of_model("alice/iris").unwrap().full(), "alice/iris");
        assert_eq!(Name::of_model("r/s3cret").unwrap().link.unwrap(), "s3cret");
        for name in ["", "iris", "alice/", "/iris", "a/b/c", "../x"] {
            assert!(matches!(Name::of_model(name), Err(Error::NotFound { .. })), "{name}");
        }
    }

    #[test]
    fn reflection_tells_what_the_page_of_the_protocol_says() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/inference.proto");
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
        let compiled = protox::compile([page], [folder]).unwrap();
        let compiled = compiled.encode_to_vec();
        assert!(compiled == DESCRIPTOR, "run `cargo run -p server --example descriptor`");
    }
}
