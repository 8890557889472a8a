//! A configuration without a file: what the environment has keys for, and the local servers that answer.

use std::fmt::Write as _;

use super::presets::{PRESETS, Preset};
use super::{Environment, Faults, Loaded, Overrides, Source, load};

/// A local server that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundServer {
    /// Its name among the presets.
    pub preset: String,
    /// The models it lists.
    pub models: Vec<String>,
}

/// Builds a configuration from the keys that are set and the servers that were `found`.
///
/// Nothing is invented: every provider's models can be asked for as `provider/model`, and those of local
/// servers are listed under that name. The environment's `BACKSTOP_…__…` keys count as with a file.
pub fn without_file(
    environment: &Environment,
    overrides: &Overrides,
    found: &[FoundServer],
) -> Result<Loaded, Faults> {
    let (text, mut notes) = written_down(environment, found);
    let source = Source::Text { name: "(no file)".to_owned(), text };
    let mut loaded = load(&source, environment, overrides)?;
    loaded.notes.append(&mut notes);
    Ok(loaded)
}

/// The file that says what was found, and the notes about it.
fn written_down(environment: &Environment, found: &[FoundServer]) -> (String, Vec<String>) {
    let (mut text, mut notes) = (String::new(), Vec::new());
    for preset in &PRESETS {
        let name = preset.name;
        let variable = preset.key_variable.filter(|variable| is_set(environment, variable));
        let server = found.iter().find(|server| server.preset == name);
        if let Some(variable) = variable {
            notes.push(format!(
                "found a key in `{variable}`: ask for `{name}/MODEL`, or write down `[providers.{name}]`"
            ));
        } else if let Some(server) = server {
            notes.push(format!(
                "found {name} at {} with {} models: ask for `{name}/MODEL`, or write down `[providers.{name}]`",
                preset.base_url,
                server.models.len(),
            ));
        } else {
            continue;
        }
        let _ = writeln!(text, "[providers.{name}]");
    }
    for server in found.iter().filter(|server| Preset::find(&server.preset).is_some()) {
        let mut models: Vec<_> = server.models.iter().filter(|model| is_name(model)).collect();
        models.sort();
        models.dedup();
        for model in models {
            let target = toml::Value::from(format!("{}/{model}", server.preset));
            let _ = writeln!(text, "[routes.{target}]\nchain = [{target}]");
        }
    }
    if notes.is_empty() {
        notes.push(
            "found no configuration file, no key variable such as `OPENROUTER_API_KEY` and no local server: \
             nothing can be asked for"
                .to_owned(),
        );
    }
    (text, notes)
}

fn is_set(environment: &Environment, variable: &str) -> bool {
    environment.get(variable).is_some_and(|value| !value.trim().is_empty())
}

fn is_name(model: &str) -> bool {
    !model.is_empty() && !model.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_servers_become_providers_but_no_chains() {
        let environment = Environment::from([
            ("GROQ_API_KEY".to_owned(), "gsk-123456".to_owned()),
            ("OPENAI_API_KEY".to_owned(), String::new()),
            ("BACKSTOP_SERVER__LISTEN".to_owned(), "127.0.0.1:9".to_owned()),
        ]);
        let models = ["qwen3:4b", "a \"quoted\" one", "bad\nname", "qwen3:4b"].map(str::to_owned).into();
        let found = [FoundServer { preset: "ollama".to_owned(), models }];

        let loaded = without_file(&environment, &Overrides::default(), &found).expect("valid");

        let providers: Vec<_> = loaded.runtime.providers.iter().map(|provider| &*provider.name).collect();
        assert_eq!(providers, ["groq", "ollama"]);
        let routes: Vec<_> = loaded.runtime.routes.named().iter().map(|route| &*route.name).collect();
        assert_eq!(routes, ["ollama/a \"quoted\" one", "ollama/qwen3:4b"]);
        assert!(loaded.runtime.routes.resolve("groq/llama").is_some());
        assert_eq!(loaded.runtime.server.listen.port(), 9);
        assert_eq!(loaded.notes.len(), 2);
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }

    #[test]
    fn nothing_found_is_said() {
        let loaded = without_file(&Environment::new(), &Overrides::default(), &[]).expect("valid");

        assert!(loaded.runtime.providers.is_empty() && loaded.runtime.routes.named().is_empty());
        assert!(loaded.notes[0].contains("nothing can be asked for"));
    }
}
