//! Problems of models, of the catalogue, and of other names of models.

use crate::table::Row::{self, Beside, Endpoint, Provider, Whole};
use crate::table::{dialects, row};
use crosspoint::provider::PARAMETERS;

pub(crate) fn rows() -> Vec<(Row, Vec<String>)> {
    let known: Vec<_> = PARAMETERS.iter().map(|(name, _)| *name).collect();
    let parameters = &format!(
        "models.a/b.endpoints[0].supported_parameters[1]: \"speed\" is unknown; known: {}",
        known.join(", ")
    );
    vec![
        // Models.
        row(
            Whole(
                "{ providers: { openai: {} }, models: { a/b: {}, c/d: { endpoints: [] }, e/f: { endpoints: openai } } }",
            ),
            &[
                "models.a/b: is not in the catalogue, so it needs endpoints",
                "models.c/d.endpoints: name at least one endpoint",
                "models.e/f.endpoints: expected a list, found \"openai\"",
            ],
        ),
        row(
            Endpoint("openai"),
            &["models.a/b.endpoints[0]: expected a mapping, found \"openai\""],
        ),
        row(
            Endpoint("{ provider: openai }, { model: x, zone: eu }"),
            &[
                "models.a/b.endpoints[1].provider: is missing",
                "models.a/b.endpoints[1].zone: is unknown; known here: provider, model, dialect, price, context_length, max_completion_tokens, input_modalities, output_modalities, supported_parameters, quantization, data_collection, zdr, region, timeouts, stream_upstream",
            ],
        ),
        row(
            Endpoint("{ provider: openai, dialect: soap }, { provider: openai, dialect: {} }"),
            &[
                &format!(
                    "models.a/b.endpoints[0].dialect: \"soap\" is no dialect; known: {}",
                    dialects()
                ),
                "models.a/b.endpoints[1].dialect: expected a string, found a mapping",
            ],
        ),
        row(
            Endpoint("{ provider: groq, model: '' }"),
            &["models.a/b.endpoints[0].model: is empty"],
        ),
        row(
            Endpoint("{ provider: groq }"),
            &["models.a/b.endpoints[0].provider: \"groq\" is not under providers (openai)"],
        ),
        row(
            Endpoint(
                "{ provider: openai, price: { prompt: -1, completion: '1e3', cache_read: [], input: 1 } }",
            ),
            &[
                "models.a/b.endpoints[0].price.prompt: \"-1\" is no price in USD per million tokens, such as \"3.00\"",
                "models.a/b.endpoints[0].price.completion: \"1e3\" is no price in USD per million tokens, such as \"3.00\"",
                "models.a/b.endpoints[0].price.cache_read: \"\" is no price in USD per million tokens, such as \"3.00\"",
                "models.a/b.endpoints[0].price.input: is unknown; known here: prompt, completion, cache_read, cache_write, cache_write_1h, reasoning, audio_input, audio_output, image_input, image_output, request, steps, times",
            ],
        ),
        row(
            Endpoint(
                "{ provider: openai, price: { steps: [{ above: 5, prompt: 1 }, { above: 5 }, { prompt: 2 }, { above: -1 }, 7] } }",
            ),
            &[
                "models.a/b.endpoints[0].price.prompt: is missing, and the catalogue has no price; where nothing is charged, write 0",
                "models.a/b.endpoints[0].price.completion: is missing, and the catalogue has no price; where nothing is charged, write 0",
                "models.a/b.endpoints[0].price.steps[1].above: must be more than that of the step before it",
                "models.a/b.endpoints[0].price.steps[2].above: is missing",
                "models.a/b.endpoints[0].price.steps[3].above: expected a whole number, found -1",
                "models.a/b.endpoints[0].price.steps[4]: expected a mapping, found 7",
            ],
        ),
        row(
            Endpoint(
                "{ provider: openai, price: { prompt: 0, request: '0,01', times: [{ from: '24:00', to: '0:30' }, { from: '16:30' }, 7] } }",
            ),
            &[
                "models.a/b.endpoints[0].price.completion: is missing, and the catalogue has no price; where nothing is charged, write 0",
                "models.a/b.endpoints[0].price.request: \"0,01\" is no amount of USD, such as \"0.005\"",
                "models.a/b.endpoints[0].price.times[0].from: \"24:00\" is no time of the day (UTC), such as \"16:30\"",
                "models.a/b.endpoints[0].price.times[0].to: \"0:30\" is no time of the day (UTC), such as \"16:30\"",
                "models.a/b.endpoints[0].price.times[1].to: is missing",
                "models.a/b.endpoints[0].price.times[2]: expected a mapping, found 7",
            ],
        ),
        row(
            Endpoint(
                "{ provider: openai, context_length: 0, input_modalities: [text, smell], output_modalities: text }",
            ),
            &[
                "models.a/b.endpoints[0].context_length: must be at least 1",
                "models.a/b.endpoints[0].input_modalities[1]: \"smell\" is unknown; known: text, image, file, audio, video, embeddings",
                "models.a/b.endpoints[0].output_modalities: expected a list, found \"text\"",
            ],
        ),
        row(
            Endpoint("{ provider: openai, timeouts: { first_token: 5, stall: 1s } }"),
            &[
                "models.a/b.endpoints[0].timeouts.first_token: expected a duration from 1ms to 24h, such as 250ms, 30s or 10m",
                "models.a/b.endpoints[0].timeouts.stall: is unknown; known here: first_token",
            ],
        ),
        row(
            Endpoint("{ provider: openai, stream_upstream: sometimes }"),
            &["models.a/b.endpoints[0].stream_upstream: \"sometimes\" is none of auto, always, never"],
        ),
        row(
            Endpoint("{ provider: openai, supported_parameters: [tools, speed] }"),
            &[parameters],
        ),
        row(
            Endpoint("{ provider: openai, quantization: fp7, data_collection: never, zdr: 1, region: '' }"),
            &[
                "models.a/b.endpoints[0].quantization: \"fp7\" is unknown; known: int4, int8, fp4, mxfp4, nvfp4, fp6, fp8, mxfp8, fp16, bf16, fp32, unknown",
                "models.a/b.endpoints[0].data_collection: \"never\" is neither allow nor deny",
                "models.a/b.endpoints[0].zdr: expected true or false, found 1",
                "models.a/b.endpoints[0].region: is empty",
            ],
        ),
        row(
            Provider("{ data_collection: true, zdr: yes please, region: 7 }"),
            &[
                "providers.openai.data_collection: expected a string, found true",
                "providers.openai.zdr: expected true or false, found \"yes please\"",
                "providers.openai.region: expected a string, found 7",
            ],
        ),
        // The catalogue.
        row(
            Whole(
                "{ providers: { openai: {} }, models: { upstage/solar-mini: {}, openai/gpt4.1-mini: {} } }",
            ),
            &[
                "models.openai/gpt4.1-mini: is not in the catalogue, so it needs endpoints; like it: openai/gpt-4.1-mini",
                "models.upstage/solar-mini: is offered by no provider here; the catalogue knows of upstage",
            ],
        ),
        row(
            Whole("{ providers: { vllm: { base_url: 'http://127.0.0.1:8000/v1' } } }"),
            &["models: is missing, and the catalogue has no model of these providers"],
        ),
        row(
            Whole("{ providers: { vllm: { base_url: 'http://127.0.0.1:8000/v1' } }, catalogue: true }"),
            &["models: is missing, and the catalogue has no model of these providers"],
        ),
        row(
            Whole("{ providers: { openai: {} }, catalogue: [] }"),
            &["catalogue: names nothing, and there are no models beside it"],
        ),
        row(
            Whole("{ providers: { openai: {} }, catalogue: false }"),
            &["models: is missing, and the catalogue is switched off"],
        ),
        row(
            Beside("catalogue: some"),
            &["catalogue: expected true, false, or a list of patterns such as anthropic/*"],
        ),
        row(
            Beside("catalogue: ['openai/gpt-4*', 'nobody/*', 7, '']"),
            &[
                "catalogue[1]: \"nobody/*\" fits no model of the catalogue that a provider here offers",
                "catalogue[2]: expected a string, found 7",
                "catalogue[3]: is empty",
            ],
        ),
        // Other names of models.
        row(
            Beside("aliases: [a/b]\nauto: fast"),
            &[
                "aliases: expected a mapping, found a list",
                "auto: expected a mapping, found \"fast\"",
            ],
        ),
        row(
            Beside(
                "aliases: { a/b: a/b, openrouter/auto: a/b, ~x: a/b, none: [], odd: 7, lost: c/d, slow: 'a/b:slow', empty: [''], pick: crosspoint/auto }",
            ),
            &[
                "aliases.a/b: is the name of a model, which an alias may not stand before",
                "aliases.openrouter/auto: is the name of the automatic choice; write auto.models for that",
                "aliases.~x: a name is wanted that is not empty and does not begin with ~",
                "aliases.none: name at least one model",
                "aliases.odd: expected a string, found 7",
                "aliases.lost: \"c/d\" is no model here, and no alias",
                "aliases.slow: \"a/b:slow\": it has no variant :slow here; known: :nitro, :floor, :exacto, :free, :online, :thinking",
                "aliases.empty[0]: is empty",
                "aliases.pick: \"crosspoint/auto\" needs a shortlist: write auto.models",
            ],
        ),
        row(
            Beside("aliases: { one: 'two:nitro', two: [a/b, three], three: one, self: self }"),
            &[
                "aliases.three: leads back to itself: one → two → three → one",
                "aliases.self: leads back to itself: self → self",
            ],
        ),
        row(
            Beside("auto: { model: a/b }"),
            &[
                "auto.models: is missing",
                "auto.model: is unknown; known here: models",
            ],
        ),
        row(
            Beside("auto: { models: {} }"),
            &["auto.models: name at least one model"],
        ),
        row(
            Beside("auto: { models: { a/b: { coding: 2 }, c/d: { score: high } } }"),
            &[
                "auto.models.a/b.score: is missing",
                "auto.models.a/b.coding: expected a number from 0 to 1",
                "auto.models.c/d: is no model here",
                "auto.models.c/d.score: expected a number from 0 to 1",
            ],
        ),
        // Values are cut, and control characters shown.
        row(
            Provider(
                "{ on_cancel: \"a\\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" }",
            ),
            &[
                "providers.openai.on_cancel: \"a\\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"… is none of stops, bills_all, unknown",
            ],
        ),
    ]
}
