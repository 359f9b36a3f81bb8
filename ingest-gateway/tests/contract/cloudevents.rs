//! CloudEvents: translated, marked so, and refused like any other event.

use schemas::topics::Topic;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::told::{Told, now};
use crate::world::World;

pub(crate) fn cloudevent(id: Uuid, session: Uuid, seq: u64) -> Value {
    json!({"specversion": "1.0", "source": "/runner", "id": id, "type": "task.started", "time": now(),
        "subject": "p-1", "sessionid": session, "seq": seq, "data": {"task_id": "L1"}})
}

pub(crate) async fn send(world: &World, body: String) -> Told {
    let request = world.request(reqwest::Method::POST, "/v1/batch?app_version=2.0&results=all").bearer_auth(&world.key);
    world.send(request.header("content-type", "application/cloudevents-batch+json; charset=utf-8").body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudevents_are_translated_and_marked_so() {
    let world = World::new().await;
    let (id, session) = (Uuid::now_v7(), Uuid::new_v4());
    let cloud = cloudevent(id, session, 3);
    let mut bad = cloud.clone();
    bad["id"] = json!("x");
    bad["seq"] = json!(4);
    let told = send(&world, json!([cloud, bad]).to_string()).await;
    assert_eq!((told.status, told.counts()), (207, [1, 0, 0, 1]), "{}", told.body);
    assert_eq!(told.body["results"][1]["errors"][0]["pointer"], "/id");
    let stamp = world.events().await.remove(0);
    assert_eq!((&stamp["origin"], &stamp["app_version"]), (&json!("cloudevent"), &json!("2.0")));
    assert_eq!(stamp["event"]["event_id"], json!(id));
    assert_eq!(stamp["event"]["session_id"], json!(session));
    assert_eq!(world.holes().await[0]["seq"], 4);
    let own = json!({"event_id": id, "session_id": session, "player_id": "p-1", "seq": 3, "event_type": "task.started",
        "timestamp": cloud["time"], "data": {"task_id": "L1"}});
    assert_eq!(
        world.post("/v1/events", &own).await.accepted().counts(),
        [0, 1, 0, 0],
        "the same body, however it came"
    );
    send(&world, json!({"events": []}).to_string()).await.is(400, "malformed_body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloudevent_that_can_not_be_translated_leaves_its_hole_and_keeps_its_id() {
    let world = World::new().await;
    let session = Uuid::new_v4();
    let names: Vec<_> = (0..1_100).map(|number| format!("\"k{number}\":1")).collect();
    let breaks: [(&str, String, &str); 8] = [
        ("{\"task_id\":\"L1\"}", "{},\"data\":{}".into(), "/data"),
        ("\"L1\"", "\"L1\",\"n\":1e400".into(), "/data/n"),
        ("\"L1\"", format!("\"L1\",{}", names.join(",")), "/data/k1022"),
        ("\"L1\"", "\"\\u0000\"".into(), "/data/task_id"),
        ("\"1.0\"", "\"0.3\"".into(), "/specversion"),
        ("\"specversion\"", "\"version\"".into(), "/specversion"),
        ("\"data\":", "\"data_base64\":\"AA==\",\"data\":".into(), "/data_base64"),
        ("\"data\":", "\"datacontenttype\":\"text/xml\",\"data\":".into(), "/datacontenttype"),
    ];
    let ids: Vec<_> = breaks.iter().map(|_| Uuid::now_v7()).collect();
    let events: Vec<_> = (0..)
        .zip(&ids)
        .zip(&breaks)
        .map(|((seq, id), (part, other, _))| {
            let sound = cloudevent(*id, session, seq).to_string();
            assert!(sound.contains(part));
            sound.replacen(part, other, 1)
        })
        .collect();
    let told = send(&world, format!("[{}]", events.join(","))).await.is(422, "validation_failed");
    for ((result, id), (_, _, pointer)) in told.body["results"].as_array().unwrap().iter().zip(&ids).zip(&breaks) {
        assert_eq!((&result["event_id"], &result["errors"][0]["pointer"]), (&json!(id), &json!(pointer)));
    }
    let mut holes: Vec<_> = world.holes().await.iter().map(|hole| hole["seq"].as_u64().unwrap()).collect();
    holes.sort_unstable();
    assert_eq!(holes, [0, 1, 2, 3, 4, 5, 6, 7]);
    let kept = world.records(Topic::Quarantine).await;
    for (record, (event, id)) in kept.iter().zip(events.iter().zip(&ids)) {
        assert_eq!(record.headers.text("event_id"), Some(id.to_string().as_str()));
        assert_eq!(record.value.as_deref(), Some(event.as_bytes()));
        assert_eq!(record.headers.text("origin"), Some("cloudevent"));
        assert_eq!(record.headers.text("app_version"), Some("2.0"));
    }
}

/// One CloudEvent in structured mode.
async fn structured(world: &World, path: &str, body: String) -> Told {
    let request = world.request(reqwest::Method::POST, path).bearer_auth(&world.key);
    world.send(request.header("content-type", "application/cloudevents+json; charset=UTF-8").body(body)).await
}

/// The same event in binary mode, with one header more.
async fn binary(world: &World, path: &str, cloud: &Value, more: (&str, &str)) -> Told {
    let mut request = world.request(reqwest::Method::POST, path).bearer_auth(&world.key).header(more.0, more.1);
    for (name, value) in cloud.as_object().unwrap().iter().filter(|(name, _)| *name != "data") {
        let value = value.as_str().map_or_else(|| value.to_string(), |text| text.replacen('-', "%2D", 1));
        request = request.header(format!("ce-{name}"), value);
    }
    let request = request.header("content-type", "application/json");
    world.send(request.body(cloud["data"].to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_is_the_same_however_it_comes() {
    let world = World::new().await;
    let cloud = cloudevent(Uuid::now_v7(), Uuid::new_v4(), 0);
    let plain = ("x-plain", "1");
    let first = structured(&world, "/v1/events?app_version=2.1", cloud.to_string()).await;
    assert_eq!(first.accepted().counts(), [1, 0, 0, 0]);
    for path in ["/v1/events", "/v1/batch"] {
        assert_eq!(structured(&world, path, cloud.to_string()).await.accepted().counts(), [0, 1, 0, 0]);
    }
    assert_eq!(binary(&world, "/v1/events", &cloud, plain).await.accepted().counts(), [0, 1, 0, 0]);
    let mut other = cloudevent(Uuid::now_v7(), Uuid::new_v4(), 7);
    other["subject"] = json!("p-%7E:1");
    let told = binary(&world, "/v1/events", &other, plain).await;
    assert_eq!(told.fault(), ("/subject".into(), "pattern".into()), "decoded, then judged");
    other["subject"] = json!("p-%3A1");
    assert_eq!(binary(&world, "/v1/events?app_version=2.2", &other, plain).await.accepted().counts(), [1, 0, 0, 0]);
    let stamps = world.events().await;
    let stamp = stamps.iter().find(|stamp| stamp["app_version"] == "2.2").unwrap();
    assert_eq!((&stamp["origin"], &stamp["event"]["player_id"]), (&json!("cloudevent"), &json!("p-:1")));
    assert_eq!(stamp["event"]["seq"], 7);
    assert_eq!(stamps.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_event_of_binary_mode_is_kept_in_its_structured_form() {
    let world = World::new().await;
    let (id, session) = (Uuid::now_v7(), Uuid::new_v4());
    let mut cloud = cloudevent(id, session, 5);
    cloud["data"] = json!({"task_id": 7});
    let told = binary(&world, "/v1/events", &cloud, ("x-plain", "1")).await.is(422, "validation_failed");
    assert_eq!(told.fault().0, "/data/task_id");
    assert_eq!(world.holes().await[0]["seq"], 5);
    let kept = world.records(Topic::Quarantine).await.remove(0);
    assert_eq!(kept.headers.text("origin"), Some("cloudevent"));
    assert_eq!(kept.headers.text("event_id"), Some(id.to_string().as_str()));
    let raw = String::from_utf8(kept.value.unwrap().to_vec()).unwrap();
    let mut expected = cloud.clone();
    expected["datacontenttype"] = json!("application/json");
    assert_eq!(serde_json::from_str::<Value>(&raw).unwrap(), expected);
    // Sent again from there, once it is mended.
    structured(&world, "/v1/events", raw.replace("{\"task_id\":7}", "{\"task_id\":\"L7\"}")).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_cloudevent_claims_no_other_tenant_and_is_json() {
    let world = World::new().await;
    for (claim, value) in [("tenantid", "globex"), ("gameid", "chess")] {
        let mut cloud = cloudevent(Uuid::now_v7(), Uuid::new_v4(), 0);
        let header = format!("ce-{claim}");
        let told = binary(&world, "/v1/events", &cloud, (&header, value)).await.is(403, "forbidden");
        assert_eq!(told.fault(), (String::new(), "forbidden".into()));
        cloud[claim] = json!(value);
        let told = structured(&world, "/v1/events", cloud.to_string()).await.is(403, "forbidden");
        assert_eq!(told.fault(), (String::new(), "forbidden".into()));
    }
    assert_eq!(world.quarantined().await, ["forbidden"; 4]);
    assert!(world.stamps().await.is_empty(), "no hole for what the credential does not allow");
    structured(&world, "/v1/events", "[]".into()).await.is(400, "malformed_body");
    structured(&world, "/v1/events", "{".into()).await.is(400, "malformed_json");
    let request = |media: &str, body: &'static str| {
        let request = world.request(reqwest::Method::POST, "/v1/events").bearer_auth(&world.key);
        world.send(request.header("ce-specversion", "1.0").header("content-type", media).body(body))
    };
    request("application/json", "{},\"id\":1").await.is(400, "malformed_json");
    request("text/xml", "<a/>").await.is(415, "unsupported_media_type");
    request("application/vnd.game+json", "{}").await.is(422, "validation_failed");
}
