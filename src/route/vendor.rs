//! Who makes a model, as its name tells.

#[cfg(test)]
mod tests;

/// Who makes a model, whoever serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// AI21 Labs: Jamba.
    Ai21,
    /// Amazon: Nova.
    Amazon,
    /// Anthropic: Claude.
    Anthropic,
    /// Arcee AI: Trinity.
    Arcee,
    /// Baidu: ERNIE.
    Baidu,
    /// `ByteDance`: Seed, Doubao.
    ByteDance,
    /// Cohere: Command.
    Cohere,
    /// `DeepSeek`.
    DeepSeek,
    /// Google: Gemini, Gemma.
    Google,
    /// IBM: Granite.
    Ibm,
    /// Inception: Mercury.
    Inception,
    /// Liquid AI: LFM.
    Liquid,
    /// Meituan: `LongCat`.
    Meituan,
    /// Meta: Llama.
    Meta,
    /// Microsoft: Phi.
    Microsoft,
    /// `MiniMax`.
    MiniMax,
    /// Mistral: Mistral, Mixtral, Codestral and their like.
    Mistral,
    /// Moonshot AI: Kimi.
    Moonshot,
    /// Nous Research: Hermes.
    Nous,
    /// NVIDIA: Nemotron.
    Nvidia,
    /// `OpenAI`: GPT and the o series.
    OpenAi,
    /// Perplexity: Sonar.
    Perplexity,
    /// Qwen, of Alibaba.
    Qwen,
    /// `StepFun`: Step.
    StepFun,
    /// Tencent: Hunyuan.
    Tencent,
    /// xAI: Grok.
    XAi,
    /// Xiaomi: `MiMo`.
    Xiaomi,
    /// Z.ai: GLM.
    ZAi,
}

/// How a vendor is recognised.
struct Row {
    vendor: Vendor,
    /// As people write it.
    name: &'static str,
    /// What stands before a model's name, in lower case: the accounts of `OpenRouter`, Hugging Face and NVIDIA.
    accounts: &'static [&'static str],
    /// What a model's name begins with, in lower case.
    families: &'static [&'static str],
}

const fn row(
    vendor: Vendor,
    name: &'static str,
    accounts: &'static [&'static str],
    families: &'static [&'static str],
) -> Row {
    Row { vendor, name, accounts, families }
}

#[rustfmt::skip]
const TABLE: [Row; 28] = [
    row(Vendor::Ai21, "AI21", &["ai21", "ai21labs"], &["jamba"]),
    row(Vendor::Amazon, "Amazon", &["amazon"], &["nova"]),
    row(Vendor::Anthropic, "Anthropic", &["anthropic"], &["claude"]),
    row(Vendor::Arcee, "Arcee AI", &["arcee-ai", "arcee_ai"], &["trinity"]),
    row(Vendor::Baidu, "Baidu", &["baidu"], &["ernie"]),
    row(Vendor::ByteDance, "ByteDance", &["bytedance", "bytedance-seed"], &["doubao", "seed-oss"]),
    row(Vendor::Cohere, "Cohere", &["cohere", "coherelabs", "cohereforai"], &["command", "c4ai"]),
    row(Vendor::DeepSeek, "DeepSeek", &["deepseek", "deepseek-ai"], &["deepseek"]),
    row(Vendor::Google, "Google", &["google"], &["gemini", "gemma", "codegemma", "learnlm"]),
    row(Vendor::Ibm, "IBM", &["ibm", "ibm-granite"], &["granite"]),
    row(Vendor::Inception, "Inception", &["inception"], &["mercury"]),
    row(Vendor::Liquid, "Liquid AI", &["liquid", "liquidai"], &["lfm"]),
    row(Vendor::Meituan, "Meituan", &["meituan", "meituan-longcat"], &["longcat"]),
    row(Vendor::Meta, "Meta", &["meta", "meta-llama"], &["llama", "codellama", "meta-llama"]),
    row(Vendor::Microsoft, "Microsoft", &["microsoft"], &["phi", "wizardlm"]),
    row(Vendor::MiniMax, "MiniMax", &["minimax", "minimaxai"], &["minimax"]),
    row(Vendor::Mistral, "Mistral", &["mistral", "mistralai"],
        &["mistral", "ministral", "mixtral", "codestral", "devstral", "magistral", "pixtral", "voxtral", "open-mistral", "open-mixtral"]),
    row(Vendor::Moonshot, "Moonshot AI", &["moonshotai", "moonshot"], &["kimi", "moonshot"]),
    row(Vendor::Nous, "Nous Research", &["nousresearch"], &["hermes", "nous-hermes", "deephermes"]),
    row(Vendor::Nvidia, "NVIDIA", &["nvidia"], &["nemotron"]),
    row(Vendor::OpenAi, "OpenAI", &["openai"], &["gpt", "chatgpt", "o1", "o3", "o4"]),
    row(Vendor::Perplexity, "Perplexity", &["perplexity"], &["sonar"]),
    row(Vendor::Qwen, "Qwen", &["qwen", "alibaba"], &["qwen", "qwq", "qvq"]),
    row(Vendor::StepFun, "StepFun", &["stepfun", "stepfun-ai"], &["step-1", "step-2", "step-3"]),
    row(Vendor::Tencent, "Tencent", &["tencent"], &["hunyuan"]),
    row(Vendor::XAi, "xAI", &["x-ai", "xai", "xai-org"], &["grok"]),
    row(Vendor::Xiaomi, "Xiaomi", &["xiaomi", "xiaomimimo"], &["mimo"]),
    row(Vendor::ZAi, "Z.ai", &["z-ai", "zai-org", "thudm"], &["glm", "chatglm"]),
];

impl Vendor {
    /// The vendor of `model`, as a provider spells it: by the account it stands under (the innermost that is
    /// known), else by how its own name begins. Nothing where neither says.
    pub fn of_model(model: &str) -> Option<Self> {
        let model = model.to_lowercase();
        let (accounts, own) = model.rsplit_once('/').unwrap_or(("", &model));
        // Bedrock puts dots between: `us.anthropic.claude-sonnet-4`.
        let (dotted, _) = own.rsplit_once('.').unwrap_or_default();
        let of_account =
            |account: &str| TABLE.iter().find(|row| row.accounts.contains(&account)).map(|row| row.vendor);
        let by_account = || accounts.rsplit('/').find_map(of_account);
        let by_dots = || dotted.rsplit('.').find_map(of_account);
        let by_family = || {
            let belongs = |row: &&Row| row.families.iter().any(|family| begins_with(own, family));
            TABLE.iter().find(belongs).map(|row| row.vendor)
        };
        by_account().or_else(by_dots).or_else(by_family)
    }

    /// Its name as people write it, such as `Moonshot AI`.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|row| row.vendor == self).map(|row| row.name).expect("every vendor has its row")
    }
}

/// Whether `family` is the first word of `name`, a version at its end aside: `phi4`, and not `philosopher`;
/// `o1-mini`, and not `o1000`.
fn begins_with(name: &str, family: &str) -> bool {
    let numbered = family.ends_with(|last: char| last.is_ascii_digit());
    let goes_on = |next: char| next.is_alphabetic() || (numbered && next.is_ascii_digit());
    name.strip_prefix(family).is_some_and(|rest| !rest.starts_with(goes_on))
}
