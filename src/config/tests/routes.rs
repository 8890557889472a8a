//! What routes do about answers that are late or cut, and about candidates that keep failing.

use super::*;
use crate::retry::Cooldown;
use crate::route::{Delivery, Hedge, OnBreak, Prefill, Route};

fn route(text: &str) -> Arc<Route> {
    let loaded = load_text(&format!("{A}{text}")).unwrap_or_else(|faults| panic!("{faults}"));
    Arc::clone(&loaded.runtime.routes.named()[0])
}

#[test]
fn rests_inherit_key_by_key_nearest_first() {
    let text = format!(
        "{A}[cooldown]\nfailures = 3\nrest = '3s'\n[routes.r]\nchain = ['a/m']\n\
         cooldown = {{ enabled = false, rest = '4s' }}"
    );
    let loaded = load_with(&text, &[("BACKSTOP_COOLDOWN__REST_MAX", "20s")]).expect("valid");
    let Cooldown { enabled, failures, rest, rest_max } = loaded.runtime.routes.named()[0].cooldown;

    assert!(!enabled, "the route's");
    assert_eq!(failures.get(), 3, "that of [cooldown]");
    assert_eq!(rest, Duration::from_secs(4), "the route's");
    assert_eq!(rest_max, Duration::from_secs(20), "that of the environment");
    let direct = loaded.runtime.routes.resolve("a/m").expect("direct").cooldown;
    assert_eq!((direct.enabled, direct.rest), (true, Duration::from_secs(3)), "those of [cooldown]");
    assert_eq!(route("[routes.r]\nchain = ['a/m']").cooldown, Cooldown::default());
}

#[test]
fn routes_say_how_they_deliver() {
    let plain = route("[routes.r]\nchain = ['a/m']");
    assert_eq!((plain.on_break, plain.delivery, plain.hedge), (OnBreak::Error, Delivery::Direct, None));

    let chain = "[routes.r]\nchain = ['a/m', 'a/n']\n";
    assert_eq!(route(&format!("{chain}on_break = 'resume'")).on_break, OnBreak::Resume);
    assert_eq!(route(&format!("{chain}delivery = 'verified'")).delivery, Delivery::Verified);
    let after = Duration::from_secs(3);
    let hedge = |text: &str| route(&format!("{chain}hedge_after = '3s'\n{text}")).hedge;
    assert_eq!(hedge(""), Some(Hedge { after, spends_quota: false }));
    assert_eq!(hedge("hedge_quota = true"), Some(Hedge { after, spends_quota: true }));
}

#[test]
fn prefill_is_that_of_the_candidate_the_provider_the_preset() {
    for (provider, candidate, expected) in [
        ("[providers.openai]", "", None),
        ("[providers.llamacpp]", "", Some(Prefill::ContinueFinal)),
        ("[providers.l]\npreset = 'llamacpp'", "", Some(Prefill::ContinueFinal)),
        ("[providers.l]\npreset = 'llamacpp'\nprefill = false", "", None),
        ("[providers.llamacpp]", "prefill = false", None),
        ("[providers.openai]", "prefill = true", Some(Prefill::Message)),
        ("[providers.x]\nbase_url = 'http://127.0.0.1:8000/v1'\nprefill = true", "", Some(Prefill::Message)),
        ("[providers.mistral]", "", Some(Prefill::Prefix { echoes: true })),
        ("[providers.deepseek]", "prefill = true", Some(Prefill::Prefix { echoes: false })),
        ("[providers.mistral]\nprefill = true", "prefill = false", None),
        (
            "[providers.x]\nbase_url = 'https://api.mistral.ai/v1'\nprefill = true",
            "",
            Some(Prefill::Prefix { echoes: true }),
        ),
        ("[providers.vllm]", "", None),
        ("[providers.vllm]\nprefill = false", "prefill = true", Some(Prefill::ContinueFinal)),
        (
            "[providers.x]\npreset = 'vllm'\nbase_url = 'http://x'\nprefill = true",
            "",
            Some(Prefill::ContinueFinal),
        ),
    ] {
        let name = provider.split(['.', ']']).nth(1).expect("a name");
        let text = format!("{provider}\n[routes.r]\nchain = [{{ use = '{name}/m', {candidate} }}]");
        let loaded = load_text(&text.replace(", }", " }")).unwrap_or_else(|faults| panic!("{faults}"));
        let candidate = &loaded.runtime.routes.named()[0].chain.candidates()[0];
        assert_eq!(candidate.prefill, expected, "{text}");
    }
}
