//! The page of an example, served by the application that has the plugin.

use std::{fs, io, path::PathBuf};

use axum::{
    Router,
    http::{HeaderName, header},
    routing::get,
};
use bytes::Bytes;

/// The folder of the JavaScript client.
const JS_CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../client-plugin/js");

/// The scripts that the pages load: the place of each in the folder of the JavaScript client, after its name.
const SCRIPTS: [(&str, &str); 2] = [
    ("/socketio-p2p.min.js", "dist/socketio-p2p.min.js"),
    ("/socket.io.min.js", "node_modules/socket.io-client/dist/socket.io.min.js"),
];

/// The rule that a page loads nothing from elsewhere. What a partner sends is shown as `blob:`.
const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:";

/// The files of one page. The style is that of all examples.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// The page.
    pub html: &'static str,
    /// The script of the page, a module.
    pub script: &'static str,
}

/// A script of the JavaScript client that has not been made yet.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is missing, make it with: (cd {JS_CLIENT} && npm ci && npm run bundle)", file.display()
)]
pub struct MissingScript {
    file: PathBuf,
    source: io::Error,
}

impl Site {
    /// Returns the routes of the page: `/` and the files that it loads.
    ///
    /// # Errors
    ///
    /// [`MissingScript`] if the JavaScript client has not been built.
    pub fn routes(self) -> Result<Router, MissingScript> {
        const STYLE: &str = include_str!("site/style.css");
        const COMMON: &str = include_str!("site/common.js");
        let mut routes = Router::new()
            .route("/", file("text/html; charset=utf-8", self.html))
            .route("/style.css", file("text/css", STYLE))
            .route("/common.js", file("text/javascript", COMMON))
            .route("/page.js", file("text/javascript", self.script));
        for (name, place) in SCRIPTS {
            let path = PathBuf::from(JS_CLIENT).join(place);
            let script = fs::read(&path).map_err(|source| MissingScript { file: path, source })?;
            routes = routes.route(name, file("text/javascript", script));
        }
        Ok(routes)
    }
}

/// Returns a route that serves this text.
fn file(kind: &'static str, body: impl Into<Bytes>) -> axum::routing::MethodRouter {
    let body = body.into();
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    get(move || async move { (headers, body) })
}
