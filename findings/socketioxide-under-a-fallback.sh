#!/usr/bin/env bash
# In axum 0.8.9 the layer of socketioxide 0.18.9 serves Socket.IO until the router gets a fallback after it or is merged into one that
# has a fallback, and on a nested router never.
#
# Expected: the layer looks at every request before the routes do, since Socket.IO has no route of its own; under
# `nest("/api", …)` it serves `/api/socket.io` or `/socket.io`. Seen: a layer covers the routes that are there and the fallback that is
# there, by which it gets what has no route. An application that later adds its files or a page "not found" as the fallback, on the same
# router or on one around it, answers `/socket.io/` with that, with status 200 at that. A nested router has no fallback unless it is
# given one, then it serves `/api/socket.io`. `route_layer` never serves it. What works in all of them is `.layer(…)` on the outermost
# router, behind its fallback.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "under-a-fallback"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = "=0.8.9"
engineioxide = "=0.17.9"
http-body-util = "0.1"
socketioxide = "=0.18.9"
tokio = { version = "1", features = ["macros", "rt"] }
tower = { version = "0.5", features = ["util"] }
TOML
cat >src/main.rs <<'RUST'
use axum::{Router, body::Body, http::Request, routing::get};
use http_body_util::BodyExt;
use socketioxide::{SocketIo, layer::SocketIoLayer};
use tower::ServiceExt;

fn layer() -> SocketIoLayer {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", async || {});
    layer
}

fn routes() -> Router {
    Router::new().route("/page", get(async || "a page"))
}

async fn fallback() -> &'static str {
    "the fallback"
}

async fn answer(app: &Router, path: &str) -> String {
    let request = Request::get(format!("{path}/?EIO=4&transport=polling")).body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    match text.starts_with("0{\"sid\"") {
        true => "Socket.IO".to_owned(),
        false => format!("{status} {text}").trim_end().to_owned(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let inner = || routes().layer(layer());
    let apps = [
        ("a layer", inner()),
        ("a layer, then a fallback", inner().fallback(fallback)),
        ("a fallback, then a layer", routes().fallback(fallback).layer(layer())),
        ("merged", Router::new().merge(inner())),
        ("merged, the outer one with a fallback", Router::new().merge(inner()).fallback(fallback)),
        ("nested under /api", Router::new().nest("/api", inner())),
        ("nested under /api, the outer one with a fallback", Router::new().nest("/api", inner()).fallback(fallback)),
        ("nested under /api with a fallback of its own", Router::new().nest("/api", routes().fallback(fallback).layer(layer()))),
        ("route_layer", routes().route_layer(layer())),
        ("a layer on the outermost", Router::new().merge(routes()).nest("/api", routes()).fallback(fallback).layer(layer())),
    ];
    for (name, app) in apps {
        println!("{name}: /socket.io {}, /api/socket.io {}", answer(&app, "/socket.io").await, answer(&app, "/api/socket.io").await);
    }
}
RUST
cat >expected <<'TEXT'
a layer: /socket.io Socket.IO, /api/socket.io 404
a layer, then a fallback: /socket.io 200 the fallback, /api/socket.io 200 the fallback
a fallback, then a layer: /socket.io Socket.IO, /api/socket.io 200 the fallback
merged: /socket.io Socket.IO, /api/socket.io 404
merged, the outer one with a fallback: /socket.io 200 the fallback, /api/socket.io 200 the fallback
nested under /api: /socket.io 404, /api/socket.io 404
nested under /api, the outer one with a fallback: /socket.io 200 the fallback, /api/socket.io 200 the fallback
nested under /api with a fallback of its own: /socket.io 404, /api/socket.io Socket.IO
route_layer: /socket.io 404, /api/socket.io 404
a layer on the outermost: /socket.io Socket.IO, /api/socket.io 200 the fallback
TEXT
cargo run --quiet --target-dir target | tee seen
diff expected seen && echo "as described: axum 0.8.9, socketioxide 0.18.9, engineioxide 0.17.9, $(rustc --version | cut -d' ' -f1-2)"
