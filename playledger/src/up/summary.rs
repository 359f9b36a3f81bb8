//! What a person is told when everything is ready.

use schemas::Timestamp;
use uuid::Uuid;

use crate::folder::Running;

/// Where to look, and an event to try: its ids are new and its time is now.
pub(super) fn text(running: &Running, now_ms: i64) -> String {
    let Running { gateway, dashboard, ops, database_url, api_key, data } = running;
    let (event, session, now) = (Uuid::now_v7(), Uuid::new_v4(), Timestamp::from_ms(now_ms));
    format!(
        "\n\
         Playledger is ready. Ctrl-C stops it; the same command goes on where it was.\n\
         \n  page      {dashboard}/\
         \n  gateway   {gateway}\
         \n  docs      {gateway}/docs\
         \n  key       {api_key}\
         \n  tables    psql '{database_url}'\
         \n  ops       {ops}/metrics  {ops}/readyz\
         \n  folder    {data}\n\
         \nSend an event of your own, then look for its session on the page:\n\
         \ncurl -s {gateway}/v1/events -H 'Authorization: Bearer {api_key}' -H 'Content-Type: application/json' -d '{{\
         \n  \"event_id\": \"{event}\", \"session_id\": \"{session}\",\
         \n  \"player_id\": \"p-me\", \"seq\": 0, \"event_type\": \"session.started\",\
         \n  \"timestamp\": \"{now}\", \"data\": {{\"platform\": \"web\"}}}}'\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_to_try_is_sound() {
        let running = Running {
            gateway: "http://127.0.0.1:8080".into(),
            dashboard: "http://127.0.0.1:8090".into(),
            ops: "http://127.0.0.1:9".into(),
            database_url: "postgres://x".into(),
            api_key: "pl_a_b".into(),
            data: "/d".into(),
        };
        let text = text(&running, 1_790_000_000_000);
        let event = text.split("-d '").nth(1).unwrap().split("}'").next().unwrap().to_owned() + "}";
        schemas::parse::event(&event).unwrap();
        assert!(text.contains("http://127.0.0.1:8080/v1/events"));
    }
}
