//! Likes, as Hub clients give them, take them back and list them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Answer, Asked, Asker, Hub, Place};
use crate::app::App;
use crate::ops::{likes, repositories};
use crate::text;

/// Likes in one page of a list, where the client does not say.
const PAGE: u32 = 100;

/// `POST /api/{kind}s/{owner}/{name}/like`
pub async fn like(State(app): State<Arc<App>>, asker: Asker<Hub>, place: Place) -> Answer<Json<Value>, Hub> {
    likes::put(&app, &asker.actor, place.kind, &place.name).await?;
    Ok(Json(json!({})))
}

/// `DELETE /api/{kind}s/{owner}/{name}/like`
pub async fn unlike(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
) -> Answer<Json<Value>, Hub> {
    likes::delete(&app, &asker.actor, place.kind, &place.name).await?;
    Ok(Json(json!({})))
}

/// `GET /api/{kind}s/{owner}/{name}/likers`
pub async fn likers(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    asked: Asked,
) -> Answer<impl IntoResponse, Hub> {
    let (after, limit) = (asked.params.get("cursor"), asked.params.limit(PAGE));
    let of = (place.kind, &place.name);
    let page = likes::of_repository(&app, &asker.actor, of, after, limit).await?;
    let items = page.items.iter().map(|liker| {
        json!({
            "_id": liker.account_id.to_string(), "user": liker.name, "fullname": liker.name, "type": "user",
            "isPro": false, "avatarUrl": format!("{}/favicon.ico", asked.base.as_str()),
        })
    });
    Ok((asked.next_page(page.next.as_deref()), Json(items.collect::<Vec<Value>>())))
}

/// `GET /api/users/{user}/likes`
pub async fn of_user(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    Path(user): Path<String>,
    asked: Asked,
) -> Answer<impl IntoResponse, Hub> {
    let (after, limit) = (asked.params.get("cursor"), asked.params.limit(PAGE));
    let page = likes::of_account(&app, &asker.actor, &user, after, limit).await?;
    let items = page.items.iter().map(|liked| {
        let name = repositories::full_name(&liked.repository);
        let repository = json!({ "name": name, "type": liked.repository.kind });
        json!({ "createdAt": text::rfc3339(liked.liked_ms), "repo": repository })
    });
    Ok((asked.next_page(page.next.as_deref()), Json(items.collect::<Vec<Value>>())))
}
