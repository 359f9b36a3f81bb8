use super::*;

const BOSS: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "version": 3, "type": "object", "required": ["boss"],
  "properties": {
    "boss": {"type": "string", "maxLength": 5},
    "lives": {"type": "integer", "minimum": 0},
    "at": {"format": "date-time"},
    "drops": {"type": "array", "items": {"enum": ["sword", "shield"]}},
    "note": {"type": ["string", "null"]},
    "code": {"pattern": "^(a+)+$"},
    "scores": {"additionalProperties": {"type": "integer"}}
  }
}"#;

fn file<'a>(path: &'a str, text: &'a str) -> SchemaFile<'a> {
    SchemaFile { tenant: None, path, text }
}

fn tenant(name: &str) -> Tenant {
    Tenant::parse(name).unwrap()
}

fn compiled() -> Registry {
    Registry::compile([file("schemas/boss.defeated.json", BOSS)]).unwrap()
}

fn errors(data: &str) -> Vec<(String, String)> {
    let registry = compiled();
    let errors = registry.get(&tenant("acme"), "boss.defeated").unwrap().judge(Some(data)).unwrap_err();
    errors.into_iter().map(|error| (error.pointer, error.code.into_owned())).collect()
}

#[test]
fn sound_data_pass_with_what_the_schema_does_not_know() {
    let registry = compiled();
    let boss = registry.get(&tenant("acme"), "boss.defeated").unwrap();
    assert_eq!((boss.version, boss.sha256.len()), (3, 64));
    for data in [
        r#"{"boss":"Axe","lives":3.0,"other":{"x":1}}"#,
        r#"{"boss":"Axe","lives":null,"note":null,"drops":["sword"],"at":"2016-12-31T23:59:60Z"}"#,
    ] {
        boss.judge(Some(data)).unwrap();
    }
}

#[test]
fn every_fault_is_told_with_its_pointer_and_code() {
    let pair = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    assert_eq!(errors("{}"), [pair("/data/boss", "required")]);
    assert_eq!(errors(r#"{"boss":null}"#), [pair("/data/boss", "required")]);
    assert_eq!(errors("[]"), [pair("/data", "type")]);
    assert_eq!(errors("{"), [pair("/data", "json")]);
    let mut all = errors(
        r#"{"boss":"longer","lives":-1,"at":"soon","drops":["sword","bow"],"code":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}"#,
    );
    all.sort();
    assert_eq!(
        all,
        [
            pair("/data/at", "format"),
            pair("/data/boss", "length"),
            pair("/data/code", "pattern"),
            pair("/data/drops/1", "enum"),
            pair("/data/lives", "range")
        ]
    );
    assert_eq!(errors(r#"{"boss":1}"#), [pair("/data/boss", "type")]);
    let registry = compiled();
    assert!(registry.get(&tenant("acme"), "boss.defeated").unwrap().judge(None).is_err());
}

#[test]
fn a_tenants_own_type_goes_before_everyones() {
    let own = SchemaFile { tenant: Some(tenant("acme")), path: "acme/boss.defeated.json", text: "{\"version\":9}" };
    let registry = Registry::compile([file("boss.defeated.json", BOSS), own, file("pet.fed.json", "{}")]).unwrap();
    let version = |name| registry.get(&tenant(name), "boss.defeated").unwrap().version;
    assert_eq!((version("acme"), version("other")), (9, 3));
    assert!(registry.get(&tenant("acme"), "boss.unknown").is_none());
    let acme = tenant("acme");
    let names: Vec<_> = registry.of(&acme).map(|registered| (registered.name.as_str(), registered.version)).collect();
    assert_eq!(names, [("boss.defeated", 9), ("pet.fed", 1)]);
    assert_eq!(registry.len(), 3);
}

#[test]
fn a_bad_file_is_named_with_the_place() {
    for (path, text, place) in [
        ("dir/boss.defeated.json", "{\n \"type\": }", "line 2"),
        ("dir/boss.defeated.json", "[]", "/"),
        ("dir/boss.defeated.json", "{\n\"properties\":{\n\"a\":{\"type\":\"strin\"}}}", "line 3, /properties/a/type"),
        ("dir/boss.defeated.json", r#"{"properties":{"a":{"pattern":"(?=x)"}}}"#, "/properties/a/pattern"),
        ("dir/boss.defeated.json", r#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#, "/$schema"),
        ("dir/boss.defeated.json", r#"{"version":0}"#, "/version"),
        ("dir/boss.defeated.json", r#"{"$ref":"https://example.com/other.json"}"#, ""),
        ("dir/Boss.json", "{}", "file name"),
        ("dir/task.started.json", "{}", "file name"),
    ] {
        let errors = Registry::compile([file(path, text), file("pet.fed.json", "{}")]).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].path, path);
        assert!(errors[0].place.contains(place), "{text}: {}", errors[0]);
    }
    let twice = Registry::compile([file("a/pet.fed.json", "{}"), file("b/pet.fed.json", "{}")]).unwrap_err();
    assert_eq!(twice[0].path, "b/pet.fed.json");
}

#[test]
fn a_pointer_is_cut_where_the_clients_names_are_too_long() {
    let told = errors(&format!(r#"{{"boss":"Axe","scores":{{"{}":"x"}}}}"#, "~".repeat(5_000)));
    assert!(told[0].0.starts_with("/data/scores/~0~0") && told[0].0.ends_with("~0…"), "{told:?}");
    assert!(told[0].0.chars().count() <= 256);
}
