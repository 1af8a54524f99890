//! Every route of the server, on one page, grouped by who calls it.
//!
//! Says which handler answers; knows nothing of what it does. Invariant: a route that is not here is answered
//! by the page "not found", and every route here stands in the access matrix.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Router};

use spec::name::RepositoryKind;

use crate::app::App;
use crate::doors::{api, apps, health, hub, infer, keys, moved, pages, trace, xet};

/// The whole server.
pub fn router(app: Arc<App>) -> Router {
    let limit = usize::try_from(app.settings.request_limit.0).unwrap_or(usize::MAX);
    let timed = from_fn_with_state(Arc::clone(&app), trace::limit_time::<api::Api>);
    let traced = from_fn_with_state(Arc::clone(&app), trace::trace);
    Router::new()
        .merge(our_api().layer(timed))
        .merge(hub_clients())
        .merge(xet_clients())
        .merge(people(&app))
        .layer(DefaultBodyLimit::max(limit))
        .fallback(pages::not_found)
        .layer(from_fn(moved::lead))
        .layer(traced)
        .merge(operators())
        .merge(inference_clients())
        .merge(rpc_clients())
        .merge(visitors_of_apps())
        .with_state(app)
}

/// Whoever watches over the server.
fn operators() -> Router<Arc<App>> {
    Router::new().route("/healthz", get(health::healthz)).route("/metrics", get(health::metrics))
}

/// Our own API.
fn our_api() -> Router<Arc<App>> {
    Router::new()
        .route("/.well-known/reenact-keys.json", get(keys::list))
        .route("/api/v1/openapi.json", get(api::openapi::document))
        .route("/api/v1/me", get(api::accounts::me).put(api::accounts::change).delete(api::accounts::leave))
        .route("/api/v1/me/export", get(api::accounts::export))
        .route("/api/v1/sessions", get(api::sessions::list).delete(api::sessions::revoke_others))
        .route("/api/v1/sessions/{session}", delete(api::sessions::revoke))
        .route("/api/v1/tokens", get(api::tokens::list).post(api::tokens::create))
        .route("/api/v1/tokens/{id}", delete(api::tokens::revoke))
        .route("/api/v1/models/{owner}/{name}", get(api::repositories::model))
        .route("/api/v1/datasets/{owner}/{name}", get(api::repositories::dataset))
        .nest("/api/v1/models/{owner}/{name}", our_repository().layer(Extension(RepositoryKind::Model)))
        .nest("/api/v1/datasets/{owner}/{name}", our_repository().layer(Extension(RepositoryKind::Dataset)))
        .route("/api/v1/models/{owner}/{name}/links", get(api::links::list).post(api::links::create))
        .route(
            "/api/v1/models/{owner}/{name}/attestations",
            get(api::attestations::list).post(api::attestations::create),
        )
        .route(
            "/api/v1/models/{owner}/{name}/attestations/{attestation}",
            get(api::attestations::get).delete(api::attestations::delete),
        )
        .route("/api/v1/links", get(api::links::mine))
        .route("/api/v1/links/{id}", get(api::links::get).put(api::links::change).delete(api::links::revoke))
        .route("/api/v1/links/{id}/proof", get(api::links::proof))
        .route("/api/v1/events", get(api::events::list))
        .route("/api/v1/organizations", get(api::organizations::list).post(api::organizations::create))
        .route("/api/v1/organizations/{organization}", get(api::organizations::get))
        .route("/api/v1/organizations/{organization}/members", get(api::organizations::members))
        .route(
            "/api/v1/organizations/{organization}/members/{member}",
            put(api::organizations::put_member).delete(api::organizations::delete_member),
        )
        .route(
            "/api/v1/organizations/{organization}/invitations",
            get(api::organizations::invitations).post(api::organizations::invite),
        )
        .route(
            "/api/v1/organizations/{organization}/invitations/{id}",
            delete(api::organizations::delete_invitation),
        )
        .route("/api/v1/invitations", get(api::invitations::list).post(api::invitations::create))
        .route("/api/v1/invitations/{id}", delete(api::invitations::delete))
        .route("/api/v1/invitations/accept", post(api::invitations::accept))
        .route("/api/v1/endpoints", get(api::endpoints::list).post(api::endpoints::deploy))
        .nest("/api/v1/endpoints/{owner}/{name}", our_endpoint())
        .route(
            "/api/v1/apps/{owner}/{name}",
            get(api::apps::get).put(api::apps::start).delete(api::apps::stop),
        )
        .route("/api/v1/apps/{owner}/{name}/logs", get(api::apps::logs))
}

/// What our own API knows of one endpoint.
fn our_endpoint() -> Router<Arc<App>> {
    use api::endpoints::{self, traffic, watch};
    Router::new()
        .route("/", get(endpoints::get).delete(endpoints::stop).patch(traffic::change))
        .route("/targets", put(traffic::set_targets))
        .route("/promote", post(traffic::promote))
        .route("/rollback", post(traffic::roll_back))
        .route("/logs", get(watch::logs))
        .route("/metrics", get(watch::metrics))
        .route("/requests", get(watch::requests))
}

/// What our own API knows of one repository, besides what it is.
fn our_repository() -> Router<Arc<App>> {
    Router::new()
        .route("/files", post(api::files::fetch))
        .route("/grants", get(api::grants::list))
        .route("/grants/{who}", put(api::grants::put).delete(api::grants::delete))
        .route("/webhooks", get(api::webhooks::list).post(api::webhooks::create))
        .route(
            "/webhooks/{webhook}",
            get(api::webhooks::get).put(api::webhooks::change).delete(api::webhooks::delete),
        )
        .route("/webhooks/{webhook}/test", post(api::webhooks::test))
        .route("/webhooks/{webhook}/deliveries", get(api::webhooks::deliveries))
        .route("/webhooks/{webhook}/deliveries/{delivery}/redeliver", post(api::webhooks::redeliver))
}

/// Clients of the Hugging Face Hub.
fn hub_clients() -> Router<Arc<App>> {
    let file = get(hub::entries::download).head(hub::entries::head);
    let of_kind = |kind: RepositoryKind| hub_repository().layer(Extension(kind));
    let of_kind_lfs = |kind: RepositoryKind| hub_lfs().layer(Extension(kind));
    Router::new()
        .route("/api/whoami-v2", get(hub::accounts::whoami))
        .route("/api/validate-yaml", post(hub::cards::validate_yaml))
        .route("/api/repos/create", post(hub::repositories::create))
        .route("/api/repos/move", post(hub::repositories::rename))
        .route("/api/repos/delete", delete(hub::repositories::delete))
        .route("/api/models", get(hub::repositories::list_models))
        .route("/api/datasets", get(hub::repositories::list_datasets))
        .route("/api/users/{user}/likes", get(hub::likes::of_user))
        .route("/api/uploads/{oid}", put(hub::uploads::receive).post(hub::uploads::join))
        .nest("/api/models/{owner}/{name}", of_kind(RepositoryKind::Model))
        .nest("/api/datasets/{owner}/{name}", of_kind(RepositoryKind::Dataset))
        .nest("/{owner}/{name}/info/lfs", of_kind_lfs(RepositoryKind::Model))
        .nest("/datasets/{owner}/{name}/info/lfs", of_kind_lfs(RepositoryKind::Dataset))
        .route(
            "/{owner}/{name}/resolve/{revision}/{*path}",
            file.clone().layer(Extension(RepositoryKind::Model)),
        )
        .route(
            "/datasets/{owner}/{name}/resolve/{revision}/{*path}",
            file.layer(Extension(RepositoryKind::Dataset)),
        )
}

/// What clients of the Hub ask of one repository.
fn hub_repository() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(hub::repositories::info))
        .route("/revision/{revision}", get(hub::repositories::info_at))
        .route("/settings", put(hub::repositories::set))
        .route("/auth-check", get(hub::repositories::may_read))
        .route("/auth-check/write", get(hub::repositories::may_write))
        .route("/like", post(hub::likes::like).delete(hub::likes::unlike))
        .route("/discussions", get(hub::discussions::list).post(hub::discussions::create))
        .route("/discussions/{number}", get(hub::discussions::get))
        .route("/discussions/{number}/comment", post(hub::discussions::comment))
        .route("/discussions/{number}/status", post(hub::discussions::set_status))
        .route("/discussions/{number}/title", post(hub::discussions::set_title))
        .route("/discussions/{number}/merge", post(hub::discussions::merge))
        .route("/user-access-request/{status}", get(hub::access_requests::list))
        .route("/user-access-request/handle", post(hub::access_requests::handle))
        .route("/user-access-request/grant", post(hub::access_requests::grant))
        .route("/user-access-request/cancel", post(hub::access_requests::cancel))
        .route("/likers", get(hub::likes::likers))
        .route("/refs", get(hub::refs::list))
        .route("/branch/{revision}", post(hub::refs::create_branch).delete(hub::refs::delete_branch))
        .route("/tag/{revision}", post(hub::refs::create_tag).delete(hub::refs::delete_tag))
        .route("/tree/{revision}", get(hub::entries::tree))
        .route("/tree/{revision}/{*path}", get(hub::entries::tree))
        .route("/paths-info/{revision}", post(hub::entries::paths_info))
        .route("/commits/{revision}", get(hub::revisions::history))
        .route("/duplicate", post(hub::copies::repository))
        .route("/lfs-files/duplicate", post(hub::copies::files))
        .route("/super-squash/{revision}", post(hub::revisions::super_squash))
        .route("/preupload/{revision}", post(hub::revisions::preupload))
        .route("/commit/{revision}", post(hub::revisions::commit))
        .route("/xet-read-token/{revision}", get(hub::transfers::read))
        .route("/xet-write-token/{revision}", get(hub::transfers::write))
        .fallback(hub::not_found)
}

/// What clients of the Hub ask of a repository before they send large files. They write its name as `name.git`.
fn hub_lfs() -> Router<Arc<App>> {
    Router::new()
        .route("/objects/batch", post(hub::uploads::batch))
        .route("/objects/verify", post(hub::uploads::verify))
}

/// Clients of the Xet protocol. The realm keeps apart what they remember of what they sent; it decides nothing.
fn xet_clients() -> Router<Arc<App>> {
    Router::new().nest("/api/xet/{realm}", xet_realm()).route("/api/xet/xorbs/{oid}", get(xet::xorbs::fetch))
}

/// What clients of the Xet protocol ask, below the address that comes with a pass.
fn xet_realm() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/chunks/{prefix}/{oid}", get(xet::xorbs::with_chunk))
        .route("/v1/xorb-grants/{prefix}/{oid}", post(xet::xorbs::grant))
        .route("/v1/xorbs/{prefix}/{oid}", post(xet::xorbs::receive))
        .route("/v1/shards", post(xet::shards::receive))
        .route("/v2/shards", post(xet::shards::follow))
        .route("/v1/files/{oid}", get(xet::files::chunks_of))
        .route("/v1/reconstructions/{oid}", get(xet::files::first))
        .route("/v2/reconstructions/{oid}", get(xet::files::second))
        .fallback(xet::not_found)
}

/// Clients of the Open Inference Protocol, of KServe V1 and of MLflow scoring. Nothing but what they need is
/// layered over these: they are what people wait for most.
fn inference_clients() -> Router<Arc<App>> {
    inference_below("/endpoints/{owner}/{name}").merge(inference_below("/r/{link}"))
}

/// The same below an address. Each route is written out whole, since a nested one takes the address apart twice.
fn inference_below(address: &str) -> Router<Arc<App>> {
    let at = |path: &str| format!("{address}{path}");
    Router::new()
        .route(&at("/v2"), get(infer::v2::server))
        .route(&at("/v2/health/live"), get(infer::v2::live))
        .route(&at("/v2/health/ready"), get(infer::v2::ready))
        .route(&at("/v2/models/{model}"), get(infer::v2::metadata))
        .route(&at("/v2/models/{model}/ready"), get(infer::v2::model_ready))
        .route(&at("/v2/models/{model}/infer"), post(infer::v2::infer))
        .route(&at("/v2/models/{model}/generate"), post(infer::generate::whole))
        .route(&at("/v2/models/{model}/generate_stream"), post(infer::generate::in_pieces))
        .route(&at("/v2/models/{model}/versions/{version}"), get(infer::v2::metadata))
        .route(&at("/v2/models/{model}/versions/{version}/ready"), get(infer::v2::model_ready))
        .route(&at("/v2/models/{model}/versions/{version}/infer"), post(infer::v2::infer))
        .route(&at("/v2/models/{model}/versions/{version}/generate"), post(infer::generate::whole))
        .route(&at("/v2/models/{model}/versions/{version}/generate_stream"), post(infer::generate::in_pieces))
        .route(&at("/v2/repository/index"), post(infer::v2::index))
        .route(&at("/v2/repository/models/{model}/{verb}"), post(infer::v2::refuse_load))
        .route(&at("/v1/models"), get(infer::v1::models))
        .route(&at("/v1/models/{verb}"), get(infer::v1::model).post(infer::v1::ask))
        .route(&at("/ping"), get(infer::mlflow::ping))
        .route(&at("/health"), get(infer::mlflow::ping))
        .route(&at("/version"), get(infer::mlflow::version))
        .route(&at("/openapi.json"), get(infer::openapi::document))
        .route(&at("/invocations"), post(infer::mlflow::invocations))
        .layer(infer::other_origins())
}

/// Clients of the Open Inference Protocol over gRPC, whose addresses are those of its methods.
fn rpc_clients() -> Router<Arc<App>> {
    use infer::grpc;
    Router::new()
        .route("/inference.GRPCInferenceService/ServerLive", post(grpc::server_live))
        .route("/inference.GRPCInferenceService/ServerReady", post(grpc::server_ready))
        .route("/inference.GRPCInferenceService/ServerMetadata", post(grpc::server_metadata))
        .route("/inference.GRPCInferenceService/ModelReady", post(grpc::model_ready))
        .route("/inference.GRPCInferenceService/ModelMetadata", post(grpc::model_metadata))
        .route("/inference.GRPCInferenceService/ModelInfer", post(grpc::model_infer))
        .route("/inference.GRPCInferenceService/{verb}", post(grpc::unknown_method))
        .route("/grpc.health.v1.Health/Check", post(grpc::check_health))
        .route("/grpc.health.v1.Health/Watch", post(grpc::watch::health))
        .route("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", post(grpc::reflect))
        .route("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", post(grpc::reflect_alpha))
}

/// Pages of apps that repositories keep, which are foreign. Their addresses are secrets, and stand in no log.
fn visitors_of_apps() -> Router<Arc<App>> {
    let all = get(apps::forward)
        .head(apps::forward)
        .post(apps::forward)
        .put(apps::forward)
        .patch(apps::forward)
        .delete(apps::forward)
        .options(apps::forward);
    Router::new()
        .route("/app-of/{key}", get(apps::enter))
        .route("/app-of/{key}/", all.clone())
        .route("/app-of/{key}/{*path}", all)
}

/// People, with a browser.
fn people(app: &Arc<App>) -> Router<Arc<App>> {
    // A web app's form may hold as much as a request to its endpoint.
    let files = DefaultBodyLimit::max(usize::try_from(app.settings.predict_limit.0).unwrap_or(usize::MAX));
    Router::new()
        .route("/", get(pages::front::front))
        .route("/models", get(pages::front::models))
        .route("/datasets", get(pages::front::datasets))
        .route("/new", get(pages::reference::new))
        .route("/api/v1/", get(pages::reference::api))
        .route("/assets/{digest}/{name}", get(pages::reference::asset))
        .route("/favicon.ico", get(pages::reference::favicon))
        .route("/robots.txt", get(pages::reference::robots))
        .route("/sign-in", get(pages::sessions::page).post(pages::sessions::sign_in))
        .route("/sign-in/oidc", get(pages::oidc::begin))
        .route("/sign-in/oidc/callback", get(pages::oidc::finish))
        .route("/sign-up", get(pages::sign_up::page).post(pages::sign_up::sign_up))
        .route("/sign-out", post(pages::sessions::sign_out))
        .route("/settings", get(pages::accounts::page).post(pages::accounts::change))
        .route("/settings/delete", get(pages::accounts::leave_page).post(pages::accounts::leave))
        .route("/settings/sessions", get(pages::sessions::list).post(pages::sessions::revoke_others))
        .route("/settings/sessions/{session}/end", post(pages::sessions::revoke))
        .route("/settings/password", get(pages::passwords::page).post(pages::passwords::set))
        .route("/settings/tokens", get(pages::tokens::page).post(pages::tokens::create))
        .route("/settings/tokens/{id}/revoke", post(pages::tokens::revoke))
        .route("/settings/endpoints", get(pages::endpoints::list))
        .route("/settings/organizations", get(pages::organizations::list))
        .route("/settings/events", get(pages::events::own))
        .route("/organizations/new", get(pages::organizations::new).post(pages::organizations::create))
        .route(
            "/organizations/{organization}",
            get(pages::organizations::page).post(pages::organizations::act),
        )
        .route("/organizations/{organization}/events", get(pages::events::of_organization))
        .route("/invitations/{secret}", get(pages::invitations::page).post(pages::invitations::take))
        .route("/a/{answer}", get(pages::answers::page))
        .route("/a/{answer}/delete", post(pages::answers::delete))
        .route("/r/{link}", get(pages::review::card_page))
        .route("/r/{link}/use", get(pages::review::use_page))
        .route("/r/{link}/try", get(pages::review::try_page).post(pages::review::predict).layer(files))
        .route("/r/{link}/app", get(pages::review::apps::page))
        .route("/r/{link}/proof", get(pages::review::proof))
        .route("/r/{link}/a/{answer}", get(pages::answers::page_by_link))
        .route("/r/{link}/a/{answer}/delete", post(pages::answers::delete_by_link))
        .route(
            "/r/{link}/embed",
            get(pages::review::embed_page).post(pages::review::embed_predict).layer(files),
        )
        .route("/r/{link}/files", get(pages::review::files_page))
        .route("/r/{link}/files/{index}/{*path}", get(pages::review::file))
        .route("/r/{link}/resolve/{revision}/{*path}", get(pages::review::picture))
        .route("/{owner}", get(pages::front::account))
        .nest("/{owner}/{name}", repository_pages(files))
        .nest("/datasets/{owner}/{name}", repository_pages(files))
        .layer(from_fn_with_state(Arc::clone(app), trace::limit_time::<pages::Html>))
        .layer(from_fn_with_state(Arc::clone(app), pages::protect))
}

/// What people see of one repository.
fn repository_pages(files: DefaultBodyLimit) -> Router<Arc<App>> {
    use pages::{
        access_requests, discussions, embed, endpoints, events, likes, repositories, sharing, training,
        web_app, webhooks,
    };
    Router::new()
        .route("/", get(repositories::card_page))
        .route("/like", post(likes::act))
        .route("/discussions", get(discussions::list))
        .route("/discussions/new", get(discussions::new).post(discussions::create))
        .route("/discussions/{number}", get(discussions::page).post(discussions::act))
        .route("/ask-access", post(access_requests::ask))
        .route("/settings/access", get(access_requests::page).post(access_requests::decide))
        .route("/about", get(repositories::about_page))
        .route("/training", get(training::page).post(training::act))
        .route("/use", get(repositories::use_page))
        .route("/try", get(web_app::page).post(web_app::predict).layer(files))
        .route("/embed", get(embed::page).post(embed::predict).layer(files))
        .route("/app", get(pages::apps::page).post(pages::apps::act))
        .route("/endpoint", get(endpoints::page).post(endpoints::act))
        .route("/endpoint/options", post(endpoints::set_options))
        .route("/endpoint/targets", post(endpoints::set_targets))
        .route("/tree/{revision}", get(pages::files::tree))
        .route("/tree/{revision}/{*path}", get(pages::files::tree))
        .route("/blob/{revision}/{*path}", get(pages::files::blob))
        .route("/commits/{revision}", get(pages::files::history))
        .route("/commit/{revision}", get(pages::changes::commit))
        .route("/commit/{revision}/{*path}", get(pages::changes::weights))
        .route("/settings", get(repositories::settings_page))
        .route("/settings/webhooks", get(webhooks::page).post(webhooks::act))
        .route("/settings/sharing", get(sharing::page).post(sharing::act))
        .route("/settings/events", get(events::of_repository))
        .route("/settings/visibility", post(repositories::set_visibility))
        .route("/settings/move", post(repositories::rename))
        .route("/settings/delete", post(repositories::delete))
}
