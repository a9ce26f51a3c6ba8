//! What a provider of the client's own dialect says that nobody here knows comes through byte for byte, whatever it is.

use crate::json::any_json;
use crate::support::{Client, config, serve, uncharged};
use proptest::prelude::*;

/// Members of an object that no dialect of ours knows.
fn unknown() -> impl Strategy<Value = String> {
    let member = ("[a-z_]{1,8}|é日", any_json(), "[ \t]{0,2}");
    prop::collection::vec(member, 0..4).prop_map(|members| {
        let members = members
            .iter()
            .map(|(name, value, space)| format!(",{space}\"x_{name}\":{space}{value}{space}"));
        // A line of an event ends where JSON would not.
        members.collect::<String>().replace('\n', " ")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn of_a_stream(
        chunks in prop::collection::vec((unknown(), unknown(), unknown()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut stream = String::new();
        for (of_chunk, of_choice, of_delta) in &chunks {
            stream.push_str(&format!(
                "data: {{\"id\":\"c\"{of_chunk},\"choices\":[{{\"index\":0{of_choice},\"delta\":{{\"content\":\"hi\"{of_delta}}}}}]}}\n\n"
            ));
        }
        stream.push_str("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
        let (head, tail) = stream.as_bytes().split_at(cut.index(stream.len()));
        let served = serve(&config("openai-chat"), Client::Stream, "text/event-stream", &[head, tail]);
        prop_assert_eq!(String::from_utf8_lossy(&served.body), stream);
    }

    #[test]
    fn of_a_buffered_answer(of_answer in unknown(), of_choice in unknown(), of_message in unknown(), of_usage in unknown()) {
        let answer = format!(
            "{{ \"id\":\"c\"{of_answer},\n \"choices\":[{{\"index\":0{of_choice},\"message\":{{\"role\":\"assistant\",\"content\":\"hi\"{of_message}}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2{of_usage}}}}}\n"
        );
        let served = serve(&config("openai-chat"), Client::Buffered, "application/json", &[answer.as_bytes()]);
        prop_assert_eq!(uncharged(&served.body), answer);
    }
}
