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
