//! Flag over environment over file over default; what is wrong is named.

use std::collections::HashMap;

use super::*;

#[derive(Args, Clone, Debug)]
struct Settings {
    /// Where the log is
    #[arg(long)]
    kafka: String,
    /// A secret
    #[arg(long, env = "DATABASE_URL")]
    database_url: Option<String>,
    /// How long
    #[arg(long, default_value = "30m")]
    grace: humantime::Duration,
    /// Whether
    #[arg(long)]
    event_log: bool,
    /// Many
    #[arg(long)]
    kafka_set: Vec<String>,
}

impl Daemon for Settings {
    const NAME: &'static str = "some-daemon";
    const OPS: &'static str = "127.0.0.1:9101";
    const ABOUT: &'static str = "Tests";

    fn check(&self) -> Result<(), String> {
        if self.kafka == "nowhere" { Err("--kafka nowhere: name a broker".into()) } else { Ok(()) }
    }
}

fn load_with(line: &[&str], environment: &[(&str, &str)]) -> Result<Loaded<Settings>, String> {
    let environment: HashMap<_, _> = environment.iter().copied().collect();
    let line = std::iter::once("some-daemon").chain(line.iter().copied()).map(OsString::from);
    load(line, &|name| environment.get(name).map(OsString::from)).map_err(|stop| match stop {
        Stop::Clap(error) => error.render().to_string(),
        Stop::Checked(text) | Stop::Bad(text) => text,
    })
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn flag_stands_over_environment_over_file_over_default() {
    let (_folder, path) =
        file("kafka = \"from-file\"\ngrace = \"1m\"\nevent-log = true\nkafka-set = [\"a=1\", \"b=2\"]\n");
    let loaded = load_with(&["--config", &path], &[]).unwrap();
    assert_eq!(loaded.config.kafka, "from-file");
    assert_eq!(loaded.config.grace.as_secs(), 60);
    assert!(loaded.config.event_log);
    assert_eq!(loaded.config.kafka_set, ["a=1", "b=2"]);
    assert_eq!(loaded.common.ops, "127.0.0.1:9101");

    let environment =
        [("PLAYLEDGER_KAFKA", "from-environment"), ("PLAYLEDGER_OPS", "127.0.0.1:0"), ("PLAYLEDGER_CONFIG", &path)];
    let loaded = load_with(&[], &environment).unwrap();
    assert_eq!(loaded.config.kafka, "from-environment");
    assert_eq!(loaded.common.ops, "127.0.0.1:0");
    let loaded = load_with(&["--kafka", "from-flag"], &environment).unwrap();
    assert_eq!(loaded.config.kafka, "from-flag");

    assert_eq!(load_with(&["--kafka", "k"], &[]).unwrap().config.grace.as_secs(), 1_800);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let (_folder, path) = file("kafka = \"k\"\ngraze = \"1m\"\n");
    let said = load_with(&["--config", &path], &[]).unwrap_err();
    assert!(said.contains("unknown key `graze`") && said.contains(&path) && said.contains("grace"), "{said}");

    let (_folder, path) = file("kafka = \"k\"\ngrace = \"soon\"\n");
    let said = load_with(&["--config", &path], &[]).unwrap_err();
    assert!(said.contains("soon") && said.contains("--grace") && said.contains(&path), "{said}");

    let said = load_with(&["--kafka", "k"], &[("PLAYLEDGER_GRACE", "soon")]).unwrap_err();
    assert!(said.contains("PLAYLEDGER_GRACE"), "{said}");
    assert!(load_with(&[], &[]).unwrap_err().contains("--kafka"));
    assert!(load_with(&["--kafka", "nowhere"], &[]).unwrap_err().contains("name a broker"));
    let (_folder, path) = file("kafka = [");
    assert!(load_with(&["--config", &path], &[]).unwrap_err().contains("not TOML"));
    assert!(load_with(&["--config", "/nonexistent.toml"], &[]).unwrap_err().contains("/nonexistent.toml"));
}

#[test]
fn secrets_come_from_files_and_are_not_printed() {
    let (_folder, path) = file("postgres://u:secret@h/d\n");
    let loaded = load_with(&["--kafka", "k"], &[("DATABASE_URL_FILE", &path)]).unwrap();
    assert_eq!(loaded.config.database_url.as_deref(), Some("postgres://u:secret@h/d"));
    let own = [("PLAYLEDGER_DATABASE_URL", "postgres://own"), ("DATABASE_URL", "postgres://everybody")];
    assert_eq!(load_with(&["--kafka", "k"], &own).unwrap().config.database_url.as_deref(), Some("postgres://own"));
    let said = load_with(&["--kafka", "k", "--check-config"], &own).unwrap_err();
    assert!(said.contains("database-url = …  # environment") && !said.contains("own"), "{said}");
    assert!(said.contains("kafka = k  # flag") && said.contains("grace = 30m  # default"), "{said}");
    let both = [("DATABASE_URL", "a"), ("DATABASE_URL_FILE", &*path)];
    assert!(load_with(&["--kafka", "k"], &both).unwrap_err().contains("keep one"));
}

#[test]
fn a_repeatable_flags_variable_holds_one_value_a_line() {
    let told = |value: &str| load_with(&["--kafka", "k"], &[("PLAYLEDGER_KAFKA_SET", value)]).unwrap().config.kafka_set;
    let ciphers = "ssl.cipher.suites=ECDHE-A,ECDHE-B";
    assert_eq!(told(ciphers), [ciphers]);
    assert_eq!(
        told("sasl.oauthbearer.config=principal=p,scope=a;b"),
        ["sasl.oauthbearer.config=principal=p,scope=a;b"]
    );
    assert_eq!(told(&format!("\n  {ciphers}\r\n\nsecurity.protocol=ssl\n")), [ciphers, "security.protocol=ssl"]);
    assert!(told("").is_empty());
    let (_folder, path) = file("a=1,2\nb=3\n");
    let loaded = load_with(&["--kafka", "k"], &[("PLAYLEDGER_KAFKA_SET_FILE", &path)]).unwrap();
    assert_eq!(loaded.config.kafka_set, ["a=1,2", "b=3"]);
}

#[test]
fn help_names_the_variables() {
    let help = load_with(&["--help"], &[]).unwrap_err();
    assert!(help.contains("[env: PLAYLEDGER_EVENT_LOG]"), "{help}");
    assert!(help.contains("[env: PLAYLEDGER_KAFKA_SET, one value a line]"), "{help}");
}
