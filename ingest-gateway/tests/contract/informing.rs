//! The calls that tell something.

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn whoami_tells_what_the_credential_may_do() {
    let world = World::new().await;
    let told = world.as_key(&world.key, "/v1/whoami").await;
    assert_eq!(told.status, 200);
    for (name, expected) in [
        ("tenant", json!("acme")),
        ("games", json!(["runner"])),
        ("environment", json!("live")),
        ("scopes", json!(["ingest"])),
        ("key_id", json!(world.key.split('_').nth(1))),
    ] {
        assert_eq!(told.body[name], expected);
    }
    assert_eq!(told.body["limits"]["events_per_batch"], 1_000);
    assert_eq!(told.body["limits"]["body_bytes"], 2 << 20);
    assert!(!told.body.to_string().contains("sha256"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schemas_in_force_are_listed_and_told_one_by_one() {
    let world = World::new().await;
    let all = world.as_key(&world.key, "/v1/schemas").await;
    assert_eq!(all.status, 200);
    let types = all.body["types"].as_array().unwrap();
    assert_eq!(types.len(), 26);
    for listed in types {
        let name = listed["event_type"].as_str().unwrap();
        let one = world.as_key(&world.key, &format!("/v1/schemas/{name}")).await;
        assert_eq!((one.status, &one.body), (200, &listed["schema"]));
        assert_eq!(listed["version"], 1);
    }
    world.as_key(&world.key, "/v1/schemas/no.such").await.is(404, "not_found");
    world.get("/v1/schemas").await.is(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_plainly_to_anybody() {
    let world = World::new().await;
    for path in ["/livez", "/readyz"] {
        let told = world.get(path).await;
        assert_eq!((told.status, told.headers["content-type"].to_str().unwrap()), (200, "text/plain; charset=utf-8"));
    }
}
