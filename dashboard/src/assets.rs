//! Style, script and icon: embedded in the program, named by their content so that browsers may keep them.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// A version that changes with any asset: it stands in their addresses.
pub(crate) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = <sha2::Sha256 as sha2::Digest>::new();
    for name in Assets::iter() {
        if let Some(file) = Assets::get(&name) {
            sha2::Digest::update(&mut hasher, file.metadata.sha256_hash());
        }
    }
    hex(&sha2::Digest::finalize(hasher)[..6])
});

/// Answers `/assets/{version}/{name}`. An old version gets today's file, to be asked for again.
pub(crate) async fn asset(Path((version, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some(file) = Assets::get(&name) else {
        return (StatusCode::NOT_FOUND, "no such asset\n").into_response();
    };
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..8]));
    let keep = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    let told = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, keep.to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, told).into_response();
    }
    (told, [(header::CONTENT_TYPE, content_type(&name))], body(file)).into_response()
}

fn body(file: EmbeddedFile) -> Vec<u8> {
    match file.data {
        Cow::Borrowed(bytes) => bytes.to_vec(),
        Cow::Owned(bytes) => bytes,
    }
}

fn content_type(name: &str) -> String {
    let guess = mime_guess::from_path(name).first_or_octet_stream();
    if guess.type_() == mime_guess::mime::TEXT { format!("{guess}; charset=utf-8") } else { guess.to_string() }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
