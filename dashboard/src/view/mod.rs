//! Turns what was read into what is shown. Pure: no clock, no database.

pub mod chart;
pub mod error_page;
pub mod event;
pub mod format;
pub mod geometry;
pub mod lanes;
pub mod metric;
pub mod moment;
pub mod overview;
pub mod record;
pub mod session;
pub mod stretches;
pub mod timeline;

use askama::Template;

pub use moment::Moment;

/// The frame around a page: head, header, footer and the fragment that is kept up to date.
#[derive(Template)]
#[template(path = "page.html")]
pub struct Page<'a> {
    /// What stands in the browser's tab.
    pub title: &'a str,
    /// Version of the assets, part of their addresses.
    pub assets: &'a str,
    /// The fragment's HTML.
    pub body: &'a str,
    /// Where updates come from; none for a page that does not change.
    pub live: Option<LiveAt<'a>>,
    /// Whether to try the same address again by itself.
    pub retry: bool,
}

/// Where a page's updates come from.
pub struct LiveAt<'a> {
    /// The stream of server-sent events.
    pub stream: &'a str,
    /// The fragment alone, for polling where streams don't pass.
    pub poll: &'a str,
    /// The version of what the page shows already.
    pub tag: &'a str,
}
