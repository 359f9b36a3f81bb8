//! EVENTS.md, held against a gateway over real HTTP and a real log: field table, calls, status codes.
//!
//! `contract/` has a file for each part: `fields` (an event's fields), `batches`, `ndjson`, `cloudevents`, `requests`
//! (whole-request failures), `claims` (another's tenant or game), `bodies` (encodings, limits, slow senders),
//! `strange` (any bytes at all), `connections` (those that nobody closes), `repeats` (duplicates and conflicts),
//! `closing`, `keys`, `jwt` and `jwks` (tokens and their issuers' keys), `cors` (pages of other origins), `reloading`,
//! `tls`, `limits`, `caps`, `informing`, `described` (OpenAPI, against which `promised` holds every answer), `errors` (their
//! catalogue), `outage` (of a log that is `failing`), `clocks`, `starting` and `ending`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "contract/authority.rs"]
mod authority;
#[path = "contract/batches.rs"]
mod batches;
#[path = "contract/bodies.rs"]
mod bodies;
#[path = "contract/caps.rs"]
mod caps;
#[path = "contract/claims.rs"]
mod claims;
#[path = "contract/clocks.rs"]
mod clocks;
#[path = "contract/closing.rs"]
mod closing;
#[path = "contract/cloudevents.rs"]
mod cloudevents;
#[path = "contract/connections.rs"]
mod connections;
#[path = "contract/cors.rs"]
mod cors;
#[path = "contract/described.rs"]
mod described;
#[path = "contract/ending.rs"]
mod ending;
#[path = "contract/errors.rs"]
mod errors;
#[path = "contract/failing.rs"]
mod failing;
#[path = "contract/fields.rs"]
mod fields;
#[path = "contract/informing.rs"]
mod informing;
#[path = "contract/issuing.rs"]
mod issuing;
#[path = "contract/jwks.rs"]
mod jwks;
#[path = "contract/jwt.rs"]
mod jwt;
#[path = "contract/keys.rs"]
mod keys;
#[path = "contract/limits.rs"]
mod limits;
#[path = "contract/lines.rs"]
mod lines;
#[path = "contract/ndjson.rs"]
mod ndjson;
#[path = "contract/outage.rs"]
mod outage;
#[path = "contract/promised.rs"]
mod promised;
#[path = "contract/reloading.rs"]
mod reloading;
#[path = "contract/repeats.rs"]
mod repeats;
#[path = "contract/requests.rs"]
mod requests;
#[path = "contract/signer.rs"]
mod signer;
#[path = "contract/starting.rs"]
mod starting;
#[path = "contract/strange.rs"]
mod strange;
#[path = "contract/tls.rs"]
mod tls;
#[path = "contract/told.rs"]
mod told;
#[path = "contract/world.rs"]
mod world;
