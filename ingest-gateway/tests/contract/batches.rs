//! Batches: what surrounds the events, partial success, holes, quarantine, order, dry run.

use ingest_gateway::credentials::Scope;
use schemas::topics::Topic;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::told::{event, now, value, with};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_stamped_and_kept_in_its_order_and_bytes() {
    let world = World::new().await;
    let (session, id) = (Uuid::new_v4(), Uuid::now_v7());
    let time = now();
    let first = format!(
        "{{ \"event_id\" : \"{id}\",\n\"session_id\":\"{}\", \"player_id\":\"p\",\"seq\":0,\"event_type\":\"task.started\",\"timestamp\":\"{time}\",\"data\":{{\"task_id\":\"L \\u00e9\", \"x\": 1.50}}}}",
        session.to_string().to_uppercase()
    );
    let mut second = event();
    second["session_id"] = json!(session);
    second["seq"] = json!(1);
    let body = format!(
        "{{\"batch_id\":\"{}\",\"sent_at\":\"{time}\",\"app_version\":\"1.2\",\"game_id\":\"runner\",\"unknown\":1,\"events\":[{first},{second}]}}",
        Uuid::new_v4()
    );
    let told = world.post_bytes("/v1/batch", body).await.accepted();
    assert_eq!(told.counts(), [2, 0, 0, 0]);
    assert_eq!(told.body["results"], json!([]));
    assert!(told.body["received_at"].is_string());

    let records = world.records(Topic::Events).await;
    assert_eq!(records.len(), 2);
    let kept: String = serde_json::from_slice::<Box<serde_json::value::RawValue>>(records[0].value.as_ref().unwrap())
        .unwrap()
        .get()
        .to_owned();
    let compact = first
        .replace("{ \"event_id\" : ", "{\"event_id\":")
        .replace(",\n", ",")
        .replace(", \"", ",\"")
        .replace(": 1.50", ":1.50");
    assert!(kept.ends_with(&format!(",\"event\":{compact}}}")), "{kept}\n{compact}");
    let stamp = value(&records[0]);
    for (name, expected) in [
        ("v", json!(1)),
        ("tenant", json!("acme")),
        ("game", json!("runner")),
        ("app_version", json!("1.2")),
        ("gateway", json!("gw")),
    ] {
        assert_eq!(stamp[name], expected);
    }
    assert_eq!(stamp["request_id"], told.body["request_id"]);
    assert_eq!(stamp["received_at"], told.body["received_at"]);
    assert_eq!(stamp["key_id"].as_str(), world.key.split('_').nth(1));
    assert_eq!(value(&records[1])["event"]["seq"], 1);
    assert_eq!(records[0].key, format!("acme/{session}"), "keyed in lower case");
    assert_eq!(records[0].headers.text("event_id"), Some(id.to_string().as_str()));
    assert!(records[0].headers.text("fingerprint").unwrap().starts_with("1:"));
    assert_eq!(records[0].headers.text("traceparent").unwrap().len(), 55);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_takes_no_other_with_it() {
    let world = World::new().await;
    let session = Uuid::new_v4();
    let member = |seq: u64, more: Value| {
        let mut event = event();
        event["session_id"] = json!(session);
        event["seq"] = json!(seq);
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let doubled = member(4, json!({})).to_string().replacen("{\"data\"", "{\"data\":{},\"data\"", 1);
    let huge = member(5, json!({})).to_string().replacen("L07\"", "L07\",\"n\":1e400", 1);
    let events = [
        member(0, json!({})).to_string(),
        member(1, json!({"player_id": "not a player"})).to_string(),
        "5".to_owned(),
        member(3, json!({"event_type": "no.such_type"})).to_string(),
        doubled,
        huge,
        member(6, json!({"session_id": "unsound"})).to_string(),
        member(7, json!({})).to_string(),
    ];
    let sent_at = now();
    let body = format!("{{\"sent_at\":\"{sent_at}\",\"app_version\":\"1.2\",\"events\":[{}]}}", events.join(","));
    let told = world.post_bytes("/v1/batch", body).await;
    assert_eq!(told.status, 207, "{}", told.body);
    assert_eq!(told.headers["content-type"], "application/json");
    assert_eq!(told.counts(), [2, 0, 0, 6]);
    let results = told.body["results"].as_array().unwrap();
    let indexes: Vec<_> = results.iter().map(|result| result["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [1, 2, 3, 4, 5, 6]);
    let pointers: Vec<_> = results.iter().map(|result| result["errors"][0]["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/player_id", "", "/event_type", "/data", "/data/n", "/session_id"]);
    assert!(results[0]["event_id"].is_string() && results[1]["event_id"].is_null());

    let mut holes: Vec<_> = world.holes().await.iter().map(|hole| hole["seq"].as_u64().unwrap()).collect();
    holes.sort_unstable();
    assert_eq!(holes, [1, 3, 4, 5], "what names a sound session and seq leaves a hole, nothing else does");
    assert_eq!(world.events().await.len(), 2);
    assert_eq!(world.quarantined().await, ["invalid"; 6]);
    let kept = world.records(Topic::Quarantine).await;
    let raw: Vec<_> = kept.iter().map(|record| std::str::from_utf8(record.value.as_ref().unwrap()).unwrap()).collect();
    for refused in &events[1..7] {
        assert!(raw.contains(&refused.as_str()), "kept raw: {refused}");
    }
    let record = &kept[0];
    assert_eq!(record.key, "acme/runner");
    assert_eq!(record.headers.text("request_id"), told.body["request_id"].as_str());
    assert_eq!(record.headers.text("received_at"), told.body["received_at"].as_str());
    let errors: Value = serde_json::from_slice(record.headers.get("errors").unwrap()).unwrap();
    assert_eq!(errors[0]["pointer"], "/player_id");
    assert_eq!(record.headers.text("key_id"), world.key.split('_').nth(1));
    assert_eq!(record.headers.text("sent_at"), Some(sent_at.as_str()), "what a redrive needs to judge alike");
    assert_eq!(record.headers.text("app_version"), Some("1.2"));
    assert_eq!(record.headers.text("origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_name_every_event_where_that_is_asked_for() {
    let world = World::new().await;
    let sound = event();
    let batch = json!({"events": [sound, with("seq", json!(-1))]});
    let told = world.post("/v1/batch?results=all", &batch).await;
    assert_eq!(told.status, 207);
    assert_eq!(told.body["results"][0], json!({"index": 0, "event_id": sound["event_id"], "status": "accepted"}));
    assert_eq!(told.body["results"][1]["status"], "rejected");
    world.post("/v1/batch?results=some", &batch).await.is(400, "malformed_body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_which_nothing_goes_through_is_a_problem_with_the_same_results() {
    let world = World::new().await;
    let told = world.post("/v1/batch", &json!({"events": [with("seq", json!(-1)), {}]})).await;
    let told = told.is(422, "validation_failed");
    assert_eq!(told.counts(), [0, 0, 0, 2]);
    assert_eq!(told.body["results"].as_array().unwrap().len(), 2);
    assert_eq!(world.quarantined().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_judges_as_the_real_one_and_keeps_nothing() {
    let world = World::new().await;
    let (known, fresh) = (event(), event());
    world.post("/v1/events", &known).await.accepted();
    let mut other = known.clone();
    other["data"]["task_id"] = json!("L08");
    let mut again = fresh.clone();
    again["data"]["task_id"] = json!("L08");
    let batch = json!({"events": [known, other, fresh, fresh, again, with("seq", json!(-1))]});
    let dry = world.post("/v1/batch?dry_run=true&results=all", &batch).await;
    assert_eq!((dry.status, dry.counts()), (207, [1, 2, 2, 1]), "{}", dry.body);
    assert_eq!(dry.body["dry_run"], true);
    assert_eq!((world.stamps().await.len(), world.quarantined().await.len()), (1, 0));
    let real = world.post("/v1/batch?dry_run=false&results=all", &batch).await;
    assert_eq!(real.body["results"], dry.body["results"]);
    world.post("/v1/batch?dry_run=perhaps", &batch).await.is(400, "malformed_body");
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_needs_its_scope_and_leaves_no_hole_without() {
    let world = World::new().await;
    let mut evidence = with("event_type", json!("evidence.recorded"));
    evidence["data"] = json!({"skill": "empathy", "source": "teacher", "score": 0.5});
    let told = world.post("/v1/events", &evidence).await.is(403, "forbidden");
    assert_eq!(told.body["results"][0]["code"], "forbidden");
    let told = world.post("/v1/batch", &json!({"events": [evidence, event()]})).await;
    assert_eq!((told.status, told.counts()), (207, [1, 0, 0, 1]));
    assert_eq!(world.quarantined().await, ["forbidden"; 2]);
    assert!(world.holes().await.is_empty());
    let mut unsound = evidence.clone();
    unsound["player_id"] = json!("no player");
    let told = world.post("/v1/events", &unsound).await.is(403, "forbidden");
    assert_eq!(told.fault(), ("/event_type".into(), "forbidden".into()), "the credential comes before the fields");
    let unfit = evidence.to_string().replacen("0.5", "1e400", 1);
    world.post_bytes("/v1/events", unfit).await.is(403, "forbidden");
    assert!(world.holes().await.is_empty());
    let key = world.known_key(&["runner"], &[Scope::Ingest, Scope::Evidence]).await;
    world.post_as(&key, "/v1/events", &unsound).await.is(422, "validation_failed");
    world.post_as(&key, "/v1/events", &evidence).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_studios_own_types_are_judged_by_its_schemas() {
    let schema = json!({"type": "object", "required": ["boss"], "properties": {"boss": {"type": "string"}}});
    let setting = crate::world::Setting {
        schemas: vec![
            ("boss.defeated.json".into(), schema.to_string()),
            ("other/boss.fled.json".into(), schema.to_string()),
        ],
        ..Default::default()
    };
    let world = World::with(setting).await;
    let mut own = with("event_type", json!("boss.defeated"));
    own["data"] = json!({"boss": "Kraken", "more": 1});
    world.post("/v1/events", &own).await.accepted();
    let mut bad = with("event_type", json!("boss.defeated"));
    bad["data"] = json!({"boss": 7});
    assert_eq!(world.post("/v1/events", &bad).await.is(422, "validation_failed").fault().0, "/data/boss");
    let others = with("event_type", json!("boss.fled"));
    assert_eq!(world.post("/v1/events", &others).await.is(422, "validation_failed").fault().1, "unknown_type");
    let listed = world.as_key(&world.key, "/v1/schemas/boss.defeated").await;
    assert_eq!((listed.status, listed.body), (200, schema));
}
