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

/// Builds a configuration from the keys that are set and the servers that were `found`; `None` if nobody
/// looked for them.
///
/// Nothing is invented: every provider's models can be asked for as `provider/model`, and those of local
/// servers are listed under that name. The environment's `BACKSTOP_…__…` keys count as with a file.
pub fn without_file(
    environment: &Environment,
    overrides: &Overrides,
    found: Option<&[FoundServer]>,
) -> Result<Loaded, Faults> {
    let (text, mut notes) = written_down(environment, found.unwrap_or_default());
    let source = Source::Text { name: "(no file)".to_owned(), text };
    let mut loaded = load(&source, environment, overrides)?;
    loaded.notes.append(&mut notes);
    if loaded.notes.is_empty() {
        let note = match (loaded.runtime.providers.is_empty(), found) {
            (false, _) => "found no configuration file: the providers are those of the environment",
            (true, Some(_)) => {
                "found no configuration file, no key variable such as `OPENROUTER_API_KEY` and no local \
                 server: nothing can be asked for"
            }
            (true, None) => "found no configuration file and no key variable such as `OPENROUTER_API_KEY`",
        };
        loaded.notes.push(note.to_owned());
    }
    if found.is_none() {
        loaded.notes.push("local servers are looked for when serving".to_owned());
    }
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

        let loaded = without_file(&environment, &Overrides::default(), Some(&found)).expect("valid");

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
        let notes = |variables: &[(&str, &str)], found| {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let loaded = without_file(&variables.collect(), &Overrides::default(), found).expect("valid");
            assert!(loaded.runtime.routes.named().is_empty());
            loaded.notes.join("\n")
        };

        assert!(notes(&[], Some(&[])).contains("nothing can be asked for"));
        let unlooked = notes(&[], None);
        assert!(unlooked.ends_with("\nlocal servers are looked for when serving"), "{unlooked}");
        assert!(!unlooked.contains("nothing can be asked for"), "{unlooked}");
        let defined = [("BACKSTOP_PROVIDERS__X__BASE_URL", "http://x/v1")];
        assert!(!notes(&defined, Some(&[])).contains("nothing can be asked for"));
    }
}
