use super::*;

fn at(games: &Games, tenant: &str, game: &str, time: &str) -> GameSettings {
    let (tenant, game) = (Tenant::parse(tenant).unwrap(), Game::parse(game).unwrap());
    games.at(&tenant, &game, Timestamp::parse(time).unwrap())
}

fn parse(text: &str) -> Result<Games, GamesError> {
    Games::parse(text, GameSettings::default())
}

const NOW: &str = "2026-06-01T00:00:00Z";

#[test]
fn without_entries_the_defaults_hold() {
    let settings = at(&parse("").unwrap(), "acme", "demo", NOW);
    assert_eq!(settings, GameSettings::default());
    assert_eq!((settings.idle_ms, settings.session_timeout_ms, settings.grace_ms), (60_000, 1_800_000, 3_600_000));
}

#[test]
fn the_narrower_entry_wins_whatever_its_place() {
    let games = parse(
        r#"
        [[settings]]
        tenant = "acme"
        game = "demo@test"
        idle = "4s"
        [[settings]]
        tenant = "acme"
        game = "demo"
        idle = "3s"
        grace = "0s"
        [[settings]]
        tenant = "acme"
        idle = "2s"
        [[settings]]
        idle = "1s"
        time_zone = "Europe/Berlin"
        "#,
    )
    .unwrap();
    assert_eq!(at(&games, "other", "demo", NOW).idle_ms, 1_000);
    assert_eq!(at(&games, "acme", "else", NOW).idle_ms, 2_000);
    assert_eq!(at(&games, "acme", "demo", NOW).idle_ms, 3_000);
    let test = at(&games, "acme", "demo@test", NOW);
    assert_eq!((test.idle_ms, test.grace_ms, test.time_zone), (4_000, 0, Tz::Europe__Berlin));
    assert_eq!(at(&games, "acme", "demo@stage", NOW).idle_ms, 3_000);
}

#[test]
fn a_later_entry_holds_from_its_time_and_only_for_what_it_names() {
    let games = parse(
        r#"
        [[settings]]
        tenant = "acme"
        game = "demo"
        valid_from = 2026-03-01T00:00:00+01:00
        idle = "90s"
        [[settings]]
        tenant = "acme"
        game = "demo"
        idle = "30s"
        cap = "12h"
        emits = ["task.abandoned", "strategy.changed", "strategy.changed"]
        "#,
    )
    .unwrap();
    let before = at(&games, "acme", "demo", "2026-02-28T22:59:59.999Z");
    let after = at(&games, "acme", "demo", "2026-02-28T23:00:00Z");
    assert_eq!((before.idle_ms, before.cap_ms), (30_000, 43_200_000));
    assert_eq!((after.idle_ms, after.cap_ms), (90_000, 43_200_000));
    assert_eq!(*after.emits, ["strategy.changed".to_owned(), "task.abandoned".to_owned()]);
}

#[test]
fn the_settings_of_the_flags_stand_behind_the_file() {
    let flags = GameSettings { idle_ms: 5, ..GameSettings::default() };
    let games = Games::parse("[[settings]]\ngrace = \"2h\"", flags).unwrap();
    let settings = at(&games, "acme", "demo", NOW);
    assert_eq!((settings.idle_ms, settings.grace_ms), (5, 7_200_000));
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("[[settings]]\nidel = \"1s\"", "idel"),
        ("[[setings]]\nidle = \"1s\"", "setings"),
        ("[[settings]]\nidle = 60", "idle"),
        ("[[settings]]\nidle = \"60\"", "idle"),
        ("[[settings]]\nidle = \"0s\"", "idle"),
        ("[[settings]]\ncap = \"9000years\"", "cap"),
        ("[[settings]]\nbuffer_events = 0", "buffer_events"),
        ("[[settings]]\nbuffer_bytes = -1", "buffer_bytes"),
        ("[[settings]]\nbuffer_bytes = 1048577", "from 1 to 1048576"),
        ("[[settings]]\nbuffer_events = 16385", "from 1 to 16384"),
        ("[[settings]]\nevents = 0", "events: 0 must be from 1 to 65536"),
        ("[[settings]]\nevents = 65537", "play.session-state"),
        ("[[settings]]\nevents = \"many\"", "events"),
        ("[[settings]]\ntasks = 0", "tasks: 0 must be from 1 to 4000"),
        ("[[settings]]\ntasks = 4001", "play.sessions"),
        ("[[settings]]\ntask_bytes = 524289", "task_bytes"),
        ("[[settings]]\nevidence = -5", "evidence: -5 must be"),
        ("[[settings]]\nevidence = 2049", "from 1 to 2048"),
        ("[[settings]]\ntext_bytes = 4097", "from 1 to 4096"),
        ("[[settings]]\nemits = [\"Task\"]", "Task"),
        ("[[settings]]\ntime_zone = \"Mars/Olympus\"", "Mars/Olympus"),
        ("[[settings]]\nvalid_from = \"soon\"\nidle = \"1s\"", "valid_from"),
        ("[[settings]]\nvalid_from = 2026-03-01\nidle = \"1s\"", "valid_from"),
        ("[[settings]]\ngame = \"demo\"\nidle = \"1s\"", "tenant"),
        ("[[settings]]\ntenant = \"Acme\"\nidle = \"1s\"", "Acme"),
        ("[[settings]]\ntenant = \"acme\"", "overrides nothing"),
        ("[[settings]]\nidle = \"1s\"\n[[settings]]\nidle = \"2s\"", "entries 1 and 2"),
    ];
    for (text, named) in cases {
        let message = parse(text).unwrap_err().to_string();
        assert!(message.contains(named), "{text}: {message}");
    }
    let emits = |number: usize| {
        let types: Vec<String> =
            (0..number).map(|n| format!("a.{}", "b".repeat(n + 1).replace("bbbbbbbb", "c"))).collect();
        parse(&format!("[[settings]]\nemits = {types:?}"))
    };
    assert!(emits(500).is_ok());
    assert!(emits(501).unwrap_err().to_string().contains("at most 500"));
    assert!(parse("[[settings]]\nbuffer_bytes = 1048576\nbuffer_events = 16384").is_ok());
    assert!(parse("[[settings]]\nevents = 65536\ntasks = 4000\ntask_bytes = 524288").is_ok());
    assert!(parse("[[settings]]\nevidence = 2048\ntext_bytes = 4096").is_ok());
}

#[test]
fn every_bound_of_a_session_can_be_set_for_a_tenant_and_a_game() {
    let games = parse(
        r#"
        [[settings]]
        tenant = "acme"
        events = 1000
        tasks = 20
        evidence = 30
        [[settings]]
        tenant = "acme"
        game = "demo"
        buffer_events = 7
        buffer_bytes = 8000
        tasks = 21
        task_bytes = 9000
        text_bytes = 64
        "#,
    )
    .unwrap();
    let bounds = |game| {
        let set = at(&games, "acme", game, NOW);
        let fold = (set.tasks, set.task_bytes, set.evidence, set.text_bytes);
        ((set.events, set.buffer_events, set.buffer_bytes), fold)
    };
    assert_eq!(bounds("demo"), ((1_000, 7, 8_000), (21, 9_000, 30, 64)));
    assert_eq!(bounds("else"), ((1_000, 4_096, 524_288), (20, 524_288, 30, 1_024)));
    assert_eq!(at(&games, "other", "demo", NOW), GameSettings::default());
}

#[test]
fn what_no_entry_names_is_kept_for_ever_and_a_tenants_entry_goes_first() {
    const DAY: i64 = 86_400_000;
    let games = parse(
        r#"
        [[retention]]
        tenant = "acme"
        sessions = "400d"
        quarantine = "forever"
        [[retention]]
        quarantine = "90d"
        event_log = "30d"
        [[settings]]
        idle = "4s"
        "#,
    )
    .unwrap();
    let kept = games.retention();
    let of = |tenant: &str| Model::ALL.map(|model| kept.of(tenant, model).map(|ms| ms / DAY));
    assert_eq!(of("acme"), [Some(400), Some(30), None, None, None]);
    assert_eq!(of("other"), [None, Some(30), Some(90), None, None]);
    assert_eq!(of(""), of("other"), "what is nobody's");
    assert_eq!(kept.named(Model::Sessions).map(Tenant::as_str).collect::<Vec<_>>(), ["acme"]);
    assert_eq!(kept.named(Model::Quarantine).count(), 0);
    assert_eq!(at(&games, "acme", "demo", NOW).idle_ms, 4_000);
    let shown = kept.to_string();
    assert!(shown.contains("every tenant: sessions forever, event_log 30d, quarantine 90d,"), "{shown}");
    assert!(shown.contains("acme: sessions 400d, event_log 30d, quarantine forever,"), "{shown}");
    assert_eq!(*parse("").unwrap().retention(), Retention::default());
}

#[test]
fn a_bad_retention_is_named() {
    let cases = [
        ("[[retention]]\nsesions = \"400d\"", "sesions"),
        ("[[retention]]\ntenant = \"acme\"", "names no model"),
        ("[[retention]]\ntenant = \"Acme\"\nlive = \"3d\"", "Acme"),
        ("[[retention]]\nsessions = 400", "sessions"),
        ("[[retention]]\nsessions = \"400\"", "entry 1: sessions: `400` must be a time"),
        ("[[retention]]\nsessions = \"6d\"", "sessions: `6d` must be at least 7d"),
        ("[[retention]]\nquarantine = \"90m\"", "quarantine: `90m` must be at least 1d"),
        ("[[retention]]\nactivity = \"90 years 400 years\"", "hundred years"),
        ("[[retention]]\nevent_log = \"36h\"", "event_log: `36h` must be whole days"),
        ("[[retention]]\nevent_log = \"0d\"", "whole days"),
        ("[[retention]]\nlive = \"never\"", "live: `never`"),
        ("[[retention]]\nlive = \"3d\"\n[[retention]]\nlive = \"4d\"", "entries 1 and 2"),
        (
            "[[retention]]\nlive = \"3d\"\n[[retention]]\ntenant = \"a\"\nlive = \"4d\"\n[[retention]]\ntenant = \"a\"\nactivity = \"4d\"",
            "entries 2 and 3",
        ),
    ];
    for (text, named) in cases {
        let message = parse(text).unwrap_err().to_string();
        assert!(message.contains(named), "{text}: {message}");
    }
}
