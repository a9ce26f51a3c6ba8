"""Counts of tokens beside those of OpenAI's own tiktoken, text by text: whole, and cut at random."""

import hashlib
import itertools
import json
import os
import random
import subprocess
from pathlib import Path

import pytest
import tiktoken

ROOT = Path(__file__).parents[2]
TOKENS = Path(os.environ.get("CROSSPOINT_TOKENS", ROOT / "target/debug/examples/tokens"))
VOCABULARIES = ("cl100k_base", "o200k_base")
# Texts of each kind; of long runs fewer, which take long.
EACH, LONG = 1_000, 200

WORDS = "aAbB zZéÉßǅʰªº日本語のアイ한국ก็ेा\u0301\u0300"
CONTRACTIONS = "'sStTlLvVeErRmMdD ſK'’ xX"
SIGNS = "!?./\\-_=+*#@<>{}[]()/\n\r a'"
SPACES = "  \t\n\r\u00a0\u3000\u2003\x0b\x0c\x85\u2028 ab"
EMOJI = "👍🏽👨\u200d👩\u200d👧🇩🇪 \ufe0fa😀!"
SOURCES = sorted(ROOT.glob("src/**/*.rs")) + sorted(ROOT.glob("*.md"))


def of(alphabet, most):
    return lambda r: "".join(r.choice(alphabet) for _ in range(r.randrange(1, most)))


def runs(r):
    """Pieces too long to be kept, and what may end them."""
    alphabet = r.choice([WORDS, CONTRACTIONS, SIGNS, SPACES, "-=", " ", "a", "\n "])
    return "".join(r.choice(alphabet) * r.choice([1, 2, 5, 80, 300]) for _ in range(r.randrange(1, 12)))


def anything(r):
    points = (r.choice([r.randrange(0x3000), r.randrange(0xD800), r.randrange(0xE000, 0x110000)]) for _ in range(60))
    return "".join(map(chr, points))


def written(r):
    """What somebody wrote: code, prose, tables."""
    text = r.choice(SOURCES).read_text()
    start = r.randrange(len(text))
    return text[start : start + r.randrange(1, 3_000)]


KINDS = {
    "words": of(WORDS, 300),
    "contractions": of(CONTRACTIONS, 60),
    "signs": of(SIGNS, 100),
    "spaces": of(SPACES, 100),
    "numbers": of("0123456789٣½Ⅷ a", 40),
    "ascii": of("".join(map(chr, range(32, 127))), 300),
    "emoji": of(EMOJI, 60),
    "one letter": of("aaaaaaab", 1_500),
    "runs": runs,
    "any character": anything,
    "noise": lambda r: r.randbytes(r.randrange(200)).decode(errors="replace"),
    "written": written,
}


@pytest.fixture(scope="session")
def encodings(tmp_path_factory):
    """OpenAI's vocabularies. tiktoken looks for them in its cache, and refuses them if their hash is not the published."""
    cache = tmp_path_factory.mktemp("tiktoken")
    for name in VOCABULARIES:
        url = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
        content = subprocess.run([TOKENS, "vocabulary", name], check=True, capture_output=True).stdout
        (cache / hashlib.sha1(url.encode()).hexdigest()).write_bytes(content)
    os.environ["TIKTOKEN_CACHE_DIR"] = str(cache)
    return {name: tiktoken.get_encoding(name) for name in VOCABULARIES}


def cut(r, text):
    places = sorted(r.randrange(len(text) + 1) for _ in range(r.choice([1, 2, 3, 10, 40])))
    return [text[a:b] for a, b in itertools.pairwise([0, *places, len(text)])]


def ours(asked):
    """The counts of each: after every piece if there are few, else after the last one."""
    lines = "\n".join(
        json.dumps({"vocabulary": name, "pieces": pieces, "steps": len(pieces) < 5}) for name, pieces in asked
    )
    out = subprocess.run([TOKENS, "count"], check=True, capture_output=True, text=True, input=lines, timeout=300)
    return [json.loads(line) for line in out.stdout.splitlines()]


def check(encodings, texts):
    asked = [(name, pieces) for name in VOCABULARIES for pieces in texts]
    for (name, pieces), counts in zip(asked, ours(asked), strict=True):
        encoding, whole = encodings[name], "".join(pieces)
        expected = [len(encoding.encode_ordinary(whole))]
        if len(pieces) < 5:
            expected = [len(encoding.encode_ordinary(text)) for text in itertools.accumulate(pieces)] + expected
        assert counts == expected, (name, pieces)


@pytest.mark.parametrize("kind", KINDS)
def test_counts_are_tiktokens(kind, encodings):
    r = random.Random(kind)
    texts = [KINDS[kind](r) for _ in range(LONG if kind == "runs" else EACH)]
    check(encodings, [[text] for text in texts] + [cut(r, text) for text in texts])


def test_every_character_is_of_tiktokens_class(encodings):
    characters = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    blocks = (characters[start : start + 1_024] for start in range(0, len(characters), 1_024))
    check(encodings, [[form.join(["", *block, ""])] for block in blocks for form in ("bA", " ", "B1 !")])
