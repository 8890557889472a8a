//! The providers that people use, as data.

use std::time::Duration;

use http::Uri;

use crate::route::Prefill;

/// What is known of a provider by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Its OpenAI-compatible API.
    pub base_url: &'static str,
    /// The environment variable that usually holds its key; none for local servers, which need no key.
    pub key_variable: Option<&'static str>,
    /// Whether it wants to know which app is asking (`HTTP-Referer`, `X-Title`).
    pub attribution: bool,
    /// How it continues an answer without being told that it can; none where that depends on the model, or
    /// where the user has to know what it costs.
    pub prefill: Option<Prefill>,
    /// How it does so once `prefill = true` is written.
    pub prefill_style: Prefill,
}

/// Every known provider.
pub const PRESETS: [Preset; 18] = [
    Preset {
        attribution: true,
        ..hosted("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY")
    },
    hosted("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    hosted("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    hosted("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    Preset {
        prefill: Some(Prefill::Message),
        ..hosted("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY")
    },
    Preset {
        prefill: Some(Prefill::Prefix { echoes: true }),
        prefill_style: Prefill::Prefix { echoes: true },
        ..hosted("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY")
    },
    Preset {
        // Only where `base_url` is its beta API.
        prefill_style: Prefill::Prefix { echoes: false },
        ..hosted("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY")
    },
    hosted("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    hosted("together", "https://api.together.ai/v1", "TOGETHER_API_KEY"),
    hosted("fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    hosted("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    hosted("nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY"),
    hosted("github", "https://models.github.ai/inference", "GITHUB_TOKEN"),
    hosted("huggingface", "https://router.huggingface.co/v1", "HF_TOKEN"),
    local("ollama", "http://127.0.0.1:11434/v1"),
    Preset {
        prefill: Some(Prefill::ContinueFinal),
        prefill_style: Prefill::ContinueFinal,
        ..local("llamacpp", "http://127.0.0.1:8080/v1")
    },
    local("lmstudio", "http://127.0.0.1:1234/v1"),
    Preset { prefill_style: Prefill::ContinueFinal, ..local("vllm", "http://127.0.0.1:8000/v1") },
];

/// How long a local server may take for the head and for the first word: it loads the model and reads the
/// prompt on the user's own machine.
pub const LOCAL_PATIENCE: Duration = Duration::from_mins(5);

const fn hosted(name: &'static str, base_url: &'static str, key_variable: &'static str) -> Preset {
    let server = local(name, base_url);
    Preset { key_variable: Some(key_variable), ..server }
}

const fn local(name: &'static str, base_url: &'static str) -> Preset {
    Preset {
        name,
        base_url,
        key_variable: None,
        attribution: false,
        prefill: None,
        prefill_style: Prefill::Message,
    }
}

impl Preset {
    /// The preset of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// The preset of the host that `url` names, however the provider is called.
    pub fn at(url: &Uri) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| origin(url) == origin(&Uri::from_static(preset.base_url)))
    }

    /// Whether it is a server on the user's own machine.
    pub fn is_local(&self) -> bool {
        self.key_variable.is_none()
    }
}

/// Scheme, host and port of a URL.
pub fn origin(url: &Uri) -> (Option<&str>, Option<String>, Option<u16>) {
    let usual = if url.scheme_str() == Some("https") { 443 } else { 80 };
    (url.scheme_str(), url.host().map(str::to_ascii_lowercase), url.port_u16().or(Some(usual)))
}

/// The servers that may be running on this machine.
pub fn local_servers() -> impl Iterator<Item = &'static Preset> {
    PRESETS.iter().filter(|preset| preset.is_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_complete_and_distinct() {
        for (index, preset) in PRESETS.iter().enumerate() {
            let url: Uri = preset.base_url.parse().expect(preset.name);
            let loopback = url.host() == Some("127.0.0.1");
            assert_eq!(loopback, preset.is_local(), "{}", preset.name);
            assert_eq!(url.scheme_str(), Some(if loopback { "http" } else { "https" }), "{}", preset.name);
            assert!(!preset.base_url.ends_with('/'), "{}", preset.name);
            assert_eq!(PRESETS.iter().position(|other| other.name == preset.name), Some(index));
        }
        assert_eq!(local_servers().count(), 4);
        let at = |url| Preset::at(&Uri::from_static(url)).map(|preset| preset.name);
        assert_eq!(at("https://OpenRouter.ai:443/api/other"), Some("openrouter"));
        assert_eq!(at("http://openrouter.ai/api/v1"), None);
    }
}
