//! JSON as others may write it.

use proptest::prelude::*;

/// JSON text as a caller may write it: any spelling of numbers, any escapes, white space, big integers, nesting.
pub(crate) fn any_json() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just("9007199254740993"),
        Just("123456789012345678901234567890"),
        Just("-0"),
        Just("-0.0"),
        Just("1.0"),
        Just("1.50"),
        Just("1e3"),
        Just("1E+2"),
        Just("0.1e-7"),
        Just("18446744073709551616"),
    ]
    .prop_map(str::to_owned);
    let text = prop_oneof![
        "[ -!#-\\[\\]-~é日👋]{0,8}".prop_map(|text| format!("\"{text}\"")),
        Just(r#""\u00e9\/\ud83d\udc4b\n\u0000""#.to_owned()),
        Just(r#""a\"b\\""#.to_owned()),
    ];
    let leaf = prop_oneof![
        number,
        "-?[1-9][0-9]{0,30}",
        text,
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned())
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(("[a-z$]{0,6}", inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members
                    .into_iter()
                    .map(|(name, value)| format!("\"{name}\" :\t{value}"))
                    .collect();
                format!("{{ {} }}", members.join(",\n"))
            }),
        ]
    })
}
