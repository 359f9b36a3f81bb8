//! The command `schemas check`: whether changed schemas take all that the old ones took.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use ingest_gateway::types::Types;
use schemas::Tenant;
use schemas::compat::{Finding, Kind, compare};
use schemas::registry::{self, Registered, Registry};
use serde::Serialize;
use serde_json::Value;

use crate::output::{Usage, data, say};

/// What to do with schemas.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Says whether changed schemas would refuse what the old ones took: 0 if not, 1 if so or if that is not known
    Check(Check),
}

/// Two states of a schema, or of a folder of them.
#[derive(Args, Debug)]
pub struct Check {
    /// The file or folder as it was
    old: PathBuf,
    /// The file or folder as it shall be
    new: PathBuf,
    /// Lets pass what is not known to be compatible; what is known to break counts all the same
    #[arg(long)]
    allow_unknown: bool,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// What became of one type.
#[derive(Debug, Serialize)]
struct Judged {
    event_type: String,
    /// Whose it is; null where it is every tenant's.
    tenant: Option<String>,
    verdict: Verdict,
    findings: Vec<Finding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Added,
    Compatible,
    Unknown,
    Breaking,
}

/// Does it.
///
/// # Errors
/// Files that can't be read or are no schemas; a file against a folder.
pub fn command(action: &Action) -> anyhow::Result<ExitCode> {
    let Action::Check(check) = action;
    let judged = match (check.old.is_dir(), check.new.is_dir()) {
        (false, false) => vec![files(&check.old, &check.new)?],
        (true, true) => folders(&read(&check.old)?, &read(&check.new)?)?,
        _ => return Err(Usage("OLD and NEW are two files, or two folders as --schemas takes them".into()).into()),
    };
    let refused = |one: &Judged| match one.verdict {
        Verdict::Added | Verdict::Compatible => false,
        Verdict::Unknown => !check.allow_unknown,
        Verdict::Breaking => true,
    };
    let compatible = !judged.iter().any(refused);
    if check.json {
        data(&serde_json::json!({ "compatible": compatible, "types": judged }).to_string())?;
    } else {
        tell(&judged)?;
        say(if compatible {
            "compatible"
        } else {
            "not compatible: events that are taken now would be refused; give what has changed a new event type, \
             or mend it"
        });
    }
    Ok(if compatible { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(judged: &[Judged]) -> anyhow::Result<()> {
    for Judged { event_type, tenant, verdict, findings } in judged {
        let name = tenant.as_ref().map_or_else(|| event_type.clone(), |tenant| format!("{tenant}/{event_type}"));
        match verdict {
            Verdict::Added => data(&format!("{name}: added"))?,
            Verdict::Compatible => data(&format!("{name}: compatible"))?,
            Verdict::Unknown | Verdict::Breaking => {
                findings.iter().try_for_each(|finding| data(&format!("{name}: {finding}")))?;
            }
        }
    }
    Ok(())
}

/// Two files, whatever they are called: one may be a copy from an older commit.
fn files(old: &Path, new: &Path) -> anyhow::Result<Judged> {
    let read = |path: &Path| -> anyhow::Result<Value> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{}: can't read it", path.display()))?;
        Ok(registry::schema(&path.to_string_lossy(), &text)?)
    };
    let (before, after) = (read(old)?, read(new)?);
    let name = new.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(judge(name, None, compare(&before, &after)))
}

fn read(folder: &Path) -> anyhow::Result<Types> {
    Types::read(folder).with_context(|| folder.display().to_string())
}

/// Every type for every tenant that has one of its own: it may come to fall under another file.
fn folders(old: &Types, new: &Types) -> anyhow::Result<Vec<Judged>> {
    let keys = |types: &Types| -> Vec<(Option<Tenant>, String)> {
        types.registry().all().map(|(tenant, one)| (tenant.cloned(), one.name.clone())).collect()
    };
    let keys: BTreeSet<_> = keys(old).into_iter().chain(keys(new)).collect();
    let mut judged = Vec::new();
    for (tenant, name) in keys {
        let pair = (in_force(old.registry(), tenant.as_ref(), &name), in_force(new.registry(), tenant.as_ref(), &name));
        let tenant = tenant.map(|tenant| tenant.to_string());
        judged.push(match pair {
            (None, _) => Judged { event_type: name, tenant, verdict: Verdict::Added, findings: Vec::new() },
            (Some(_), None) => {
                let why = "the type has gone: its events are not taken any more".to_owned();
                judge(name, tenant, vec![Finding { pointer: String::new(), kind: Kind::Breaking, why }])
            }
            (Some(before), Some(after)) => {
                let schema = |one: &Registered| serde_json::from_str::<Value>(&one.text);
                judge(name, tenant, compare(&schema(before)?, &schema(after)?))
            }
        });
    }
    Ok(judged)
}

fn in_force<'r>(registry: &'r Registry, tenant: Option<&Tenant>, name: &str) -> Option<&'r Registered> {
    tenant.map_or_else(|| registry.common(name), |tenant| registry.get(tenant, name))
}

fn judge(event_type: String, tenant: Option<String>, findings: Vec<Finding>) -> Judged {
    let is_breaking = findings.iter().any(|finding| finding.kind == Kind::Breaking);
    let verdict = match (findings.is_empty(), is_breaking) {
        (true, _) => Verdict::Compatible,
        (false, true) => Verdict::Breaking,
        (false, false) => Verdict::Unknown,
    };
    Judged { event_type, tenant, verdict, findings }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn status(old: &Path, new: &Path, allow_unknown: bool) -> ExitCode {
        let check = Check { old: old.into(), new: new.into(), allow_unknown, json: true };
        command(&Action::Check(check)).unwrap()
    }

    fn is(code: ExitCode, expected: ExitCode) {
        assert_eq!(format!("{code:?}"), format!("{expected:?}"));
    }

    #[test]
    fn two_files_are_compared_whatever_they_are_called() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("before"), folder.path().join("boss.defeated.json"));
        fs::write(&old, r#"{"properties":{"boss":{"pattern":"a"}}}"#).unwrap();
        fs::write(&new, r#"{"properties":{"boss":{}}}"#).unwrap();
        is(status(&old, &new, false), ExitCode::SUCCESS);
        is(status(&new, &old, true), ExitCode::FAILURE);
        fs::write(&new, r#"{"properties":{"boss":{"pattern":"b"}}}"#).unwrap();
        is(status(&old, &new, false), ExitCode::FAILURE);
        is(status(&old, &new, true), ExitCode::SUCCESS);
        fs::write(&new, "{\"type\":\n 7}").unwrap();
        let error = files(&old, &new).unwrap_err().to_string();
        assert!(error.contains("boss.defeated.json: line 2, /type: "), "{error}");
    }

    #[test]
    fn folders_are_compared_type_by_type_and_tenant_by_tenant() {
        let folder = tempfile::tempdir().unwrap();
        let at = |state: &str, name: &str, text: &str| {
            let path = folder.path().join(state).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        at("old", "boss.defeated.json", "{}");
        at("old", "pet.fed.json", "{}");
        at("old", "acme/pet.named.json", r#"{"required":["x"]}"#);
        at("new", "boss.defeated.json", r#"{"version":2}"#);
        at("new", "acme/boss.defeated.json", r#"{"required":["level"]}"#);
        at("new", "pet.named.json", "{}");
        let types = |state: &str| read(&folder.path().join(state)).unwrap();
        let judged = folders(&types("old"), &types("new")).unwrap();
        let told: Vec<_> =
            judged.iter().map(|one| (one.tenant.as_deref(), one.event_type.as_str(), one.verdict)).collect();
        assert_eq!(
            told,
            [
                (None, "boss.defeated", Verdict::Compatible),
                (None, "pet.fed", Verdict::Breaking),
                (None, "pet.named", Verdict::Added),
                (Some("acme"), "boss.defeated", Verdict::Breaking),
                (Some("acme"), "pet.named", Verdict::Compatible),
            ]
        );
        let mixed = Check {
            old: folder.path().join("old"),
            new: folder.path().join("new/pet.named.json"),
            allow_unknown: false,
            json: false,
        };
        assert!(command(&Action::Check(mixed)).unwrap_err().is::<Usage>());
    }
}
