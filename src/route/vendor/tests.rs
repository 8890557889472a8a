use proptest::prelude::*;

use super::*;

#[test]
fn a_name_tells_who_made_the_model() {
    for (model, expected) in [
        ("deepseek/deepseek-chat-v3-0324:free", Some("DeepSeek")),
        ("deepseek-ai/DeepSeek-V3", Some("DeepSeek")),
        ("meta-llama/llama-3.1-405b-instruct:free", Some("Meta")),
        ("meta/llama-3.3-70b-instruct", Some("Meta")),
        ("mistralai/mixtral-8x7b-instruct", Some("Mistral")),
        ("google/gemma-3-27b-it:free", Some("Google")),
        ("openai/gpt-oss-120b", Some("OpenAI")),
        ("anthropic/claude-sonnet-4.5", Some("Anthropic")),
        ("qwen/qwen3-coder", Some("Qwen")),
        ("moonshotai/kimi-k2.5", Some("Moonshot AI")),
        ("nvidia/llama-3.1-nemotron-70b-instruct", Some("NVIDIA")),
        ("x-ai/grok-4", Some("xAI")),
        ("z-ai/glm-4.6", Some("Z.ai")),
        ("arcee-ai/trinity-mini", Some("Arcee AI")),
        ("nousresearch/hermes-4-405b", Some("Nous Research")),
        ("ai21/jamba-large-1.7", Some("AI21")),
        ("liquid/lfm-2.2-6b", Some("Liquid AI")),
        // Bare names, as their makers and local servers spell them.
        ("gpt-4.1-mini", Some("OpenAI")),
        ("gpt-oss:20b", Some("OpenAI")),
        ("chatgpt-4o-latest", Some("OpenAI")),
        ("o3", Some("OpenAI")),
        ("o1-mini", Some("OpenAI")),
        ("claude-3-5-haiku-latest", Some("Anthropic")),
        ("models/gemini-2.5-flash", Some("Google")),
        ("gemma3:4b", Some("Google")),
        ("gemma-4-E4B-it-UD-Q4_K_X", Some("Google")),
        ("llama3.2:1b", Some("Meta")),
        ("Qwen2.5-Coder-7B-Instruct", Some("Qwen")),
        ("qwq:32b", Some("Qwen")),
        ("deepseek-r1-distill-llama-70b", Some("DeepSeek")),
        ("codestral-latest", Some("Mistral")),
        ("grok-3-mini", Some("xAI")),
        ("kimi-k2-instruct", Some("Moonshot AI")),
        ("GLM-4.5-Air", Some("Z.ai")),
        ("phi4", Some("Microsoft")),
        ("command-r-plus", Some("Cohere")),
        // Deeper names.
        ("accounts/fireworks/models/deepseek-v3", Some("DeepSeek")),
        ("@cf/meta/llama-3.1-8b-instruct", Some("Meta")),
        ("bartowski/Llama-3.2-3B-Instruct-GGUF", Some("Meta")),
        ("amazon/anthropic/claude-x", Some("Anthropic")),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", Some("Anthropic")),
        // Nobody's.
        ("openrouter/auto", None),
        ("openrouter/free", None),
        ("philosopher-7b", None),
        ("o1000", None),
        ("o2", None),
        ("default", None),
        ("", None),
        ("/", None),
    ] {
        assert_eq!(Vendor::of_model(model).map(Vendor::name), expected, "{model}");
    }
}

#[test]
fn every_vendor_is_found_by_all_that_stands_in_its_row() {
    for row in &TABLE {
        for account in row.accounts {
            assert_eq!(Vendor::of_model(&format!("{account}/x")), Some(row.vendor), "{account}");
        }
        for family in row.families {
            assert_eq!(Vendor::of_model(family), Some(row.vendor), "{family}");
            assert_eq!(
                Vendor::of_model(&format!("{}-7b", family.to_uppercase())),
                Some(row.vendor),
                "{family}"
            );
        }
        assert_eq!(row.vendor.name(), row.name);
        assert_eq!(TABLE.iter().filter(|other| other.vendor == row.vendor).count(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn any_name_is_read(model in "(\\PC|/|\\.){0,40}") {
        let _vendor = Vendor::of_model(&model);
    }
}
